"""Files that exist whole or not at all, texts whatever the locale, and folders through links."""

import os
import platform
import re
import secrets
import sys
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
    writers that were killed have left beside `path` is removed. Its folder is made if need be.

    Raises
    ------
    SurgeryError
        If the system refuses: a full disk, a folder that cannot be written to.
    """
    writer = f"{platform.node()}+{os.getpid()}+{secrets.token_hex(4)}"
    temporary = path.with_name(f".{path.stem}+{writer}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
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
    """Remove what dead writers of `path` have left; files of others beside it are left alone."""
    writer = r"(?P<host>[^+]*)\+(?P<process>\d+)\+[0-9a-f]{8}"
    pattern = re.compile(rf"\.{re.escape(path.stem)}\+{writer}{re.escape(path.suffix)}")
    try:
        names = os.listdir(path.parent)
    except OSError:
        return
    for found in filter(None, map(pattern.fullmatch, names)):
        left = path.with_name(found[0])
        with suppress(OSError):
            if _is_dead(found["host"], found["process"], left):
                left.unlink()


def _is_dead(host: str, process: str, left: Path) -> bool:
    if host == platform.node() and Path("/proc/self").exists():
        return not _lives(process)
    return time.time() - left.stat().st_mtime > SECONDS_TO_GIVE_UP


def _lives(process: str) -> bool:
    """Return whether a process of this machine runs; one that only nobody took note of is dead."""
    try:
        state = Path(f"/proc/{process}/stat").read_bytes()
    except FileNotFoundError:
        return False
    return state.rpartition(b")")[2].split()[0] != b"Z"


def read_text(path: Path) -> str:
    """Read a text file, UTF-8 whatever the locale.

    Raises
    ------
    SurgeryError
        If it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SurgeryError(f"{path}: cannot be read: {error}") from error


def write_text(path: Path, text: str) -> None:
    """Write a text file, UTF-8 whatever the locale.

    What is no character, as in names of files from another locale, is escaped as in JSON.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def walk(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder, sorted, those that links lead to as well.

    A link that leads nowhere, or back to a folder that it lies in, is left out, with a line on
    standard error. Where there is no folder there are no files.

    Raises
    ------
    SurgeryError
        If a folder cannot be read.
    """
    if folder.is_dir():
        yield from _walk(folder, (folder.resolve(),))


def _walk(folder: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise SurgeryError(f"{folder}: cannot be read: {error}") from error
    for path in (folder / name for name in names):
        if path.is_dir():
            target = path.resolve()
            if target in above:
                print(f"{path}: left out, a link to a folder that it lies in", file=sys.stderr)
            else:
                yield from _walk(path, (*above, target))
        elif path.is_file():
            yield path
        elif path.is_symlink():
            print(f"{path}: left out, a link that leads nowhere", file=sys.stderr)
