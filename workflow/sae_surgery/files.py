"""Files that exist whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sae_surgery.errors import SurgeryError

written: list[Path] = []
"""What this process has written, in order."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; it becomes `path` if all goes well, else it is removed.

    It stands beside `path`, so that the renaming stays on one file system, keeps the suffix, by
    which libraries choose a format, and is not shared with another writer of the same file.

    Raises
    ------
    SurgeryError
        If the system refuses: a full disk, a folder that cannot be written to.
    """
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
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


def write_text(path: Path, text: str) -> None:
    """Write a text file."""
    with replacing(path) as temporary:
        temporary.write_text(text)
