"""Whether the source that a server has loaded is still that which lies there."""

import hashlib
import os
import sysconfig
from contextlib import suppress

from sae_surgery.machine.launch import PACKAGE


def source() -> str:
    """Return a digest of the package's files, and of when libraries were installed last.

    Hidden files, such as an editor leaves for a while, do not count.
    """
    digest = hashlib.sha256(str(os.stat(sysconfig.get_path("purelib")).st_mtime_ns).encode())
    for folder, folders, names in os.walk(PACKAGE):
        folders[:] = sorted(set(folders) - {"__pycache__"})
        for path in (os.path.join(folder, name) for name in sorted(names) if name[0] != "."):
            digest.update(f"\n{path}\n".encode(errors="surrogateescape"))
            with suppress(OSError), open(path, "rb") as file:
                digest.update(file.read())
    return digest.hexdigest()
