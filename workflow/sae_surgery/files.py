"""Files that exist whole or not at all."""

import glob
import os
import platform
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sae_surgery.errors import SurgeryError

SECONDS_TO_GIVE_UP = 3600
"""How long a writer on another machine may write nothing before it counts as dead."""

written: list[Path] = []
"""What this process has written, in order."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; it becomes `path` if all goes well, else it is removed.

    It stands beside `path`, so that the renaming stays on one file system, keeps the suffix, by
    which libraries choose a format, and is not shared with another writer of the same file. What
    writers that were killed have left beside `path` is removed.

    Raises
    ------
    SurgeryError
        If the system refuses: a full disk, a folder that cannot be written to.
    """
    writer = f"{platform.node()}+{os.getpid()}+{secrets.token_hex(4)}"
    temporary = path.with_name(f".{path.stem}+{writer}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
        written.append(path)
    except OSError as error:
        raise SurgeryError(f"{path}: cannot be written: {error}") from error
    finally:
        # A folder that cannot be written to refuses even to have nothing removed from it.
        with suppress(OSError):
            temporary.unlink()
        sweep(path)


def sweep(path: Path) -> None:
    """Remove what dead writers of `path` have left."""
    pattern = f".{glob.escape(path.stem)}+*{path.suffix}"
    for left in path.parent.glob(pattern):
        with suppress(OSError):
            _, host, process, _ = left.stem.rsplit("+", 3)
            if host == platform.node() and Path("/proc/self").exists():
                dead = not _lives(process)
            else:
                dead = time.time() - left.stat().st_mtime > SECONDS_TO_GIVE_UP
            if dead:
                left.unlink()


def _lives(process: str) -> bool:
    """Return whether a process of this machine runs; one that only nobody took note of is dead."""
    try:
        told = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
    return told.rpartition(")")[2].split()[0] != "Z"


def write_text(path: Path, text: str) -> None:
    """Write a text file."""
    with replacing(path) as temporary:
        temporary.write_text(text)
