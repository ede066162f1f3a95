"""Trained SAEs of other libraries, one file a format, found by file name.

A new file `loaders/<format>.py` with one subclass of `Loader` is all that it takes: the format is
then recognised. `check` says whether one was read rightly.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sae_surgery.errors import SurgeryError
from sae_surgery.loaders import _files
from sae_surgery.parts import Registry

if TYPE_CHECKING:
    from sae_surgery.loaders.base import Loader, TrainedSae

LOADED_BY_NAME = True
"""A file decides which module is loaded, so all count in the digest of what loads one."""

_registry = Registry(__name__, Path(__file__).parent, "format", besides=("base", "check"))


def available() -> tuple[str, ...]:
    """Return the names of all formats, sorted."""
    return _registry.names


def loader(format: str) -> "Loader":
    """Import the loader of a format.

    Raises
    ------
    SurgeryError
        If there is no such format.
    """
    from sae_surgery.loaders.base import Loader

    return _registry.load(format, Loader)()


def load(path: Path, format: str | None = None) -> "TrainedSae":
    """Read a trained SAE from a file or a folder.

    Parameters
    ----------
    path
        File or folder.
    format
        Name of a loader; None: recognised from the files.

    Raises
    ------
    SurgeryError
        If it is of no format known, of several, or cannot be used; one line that says what to do.
    """
    found, place, _ = _find(Path(path), format)
    return found.read(place)


def files(path: Path, format: str | None = None) -> tuple[Path, ...]:
    """Return the files that `load` reads, having looked at names of files and tensors alone.

    Raises
    ------
    SurgeryError
        As `load` does where it is of no format known.
    """
    return _find(Path(path), format)[2]


def _find(path: Path, format: str | None) -> "tuple[Loader, Path, tuple[Path, ...]]":
    """Return the loader of the SAE at a path, where exactly it lies, and its files."""
    if not path.exists():
        raise SurgeryError(f"{path}: there is no such file or folder")
    candidates = [loader(name) for name in ([format] if format else available())]
    for place in (path, *_only_file(path)):
        found = [(each, place, files) for each in candidates if (files := each.files(place))]
        if len(found) == 1:
            return found[0]
        if found:
            kinds = ", ".join(type(each).__module__.rpartition(".")[2] for each, _, _ in found)
            raise SurgeryError(f"{path}: could be {kinds}; say which, as format")
    raise SurgeryError(f"{path}: {_why_unknown(path, candidates)}")


def _only_file(path: Path) -> list[Path]:
    """Return the file of tensors in a folder, if there is but one."""
    found = [each for each in path.glob("*") if each.suffix in _files.SUFFIXES]
    return found if len(found) == 1 else []


def _why_unknown(path: Path, candidates: "list[Loader]") -> str:
    """Say what a path holds instead of an SAE, and what to give instead."""
    known = "; ".join(f"{each.title}: {each.looks_like}" for each in candidates)
    if path.is_dir():
        inner = sorted(each for each in path.iterdir() if each.is_dir())
        inner = [each for each in inner if any(one.files(each) for one in candidates)]
        if inner:
            return f"holds {len(inner)} SAEs; give the folder of one, such as {inner[0]}"
        path = next(iter(_only_file(path)), path)
    if path.suffix == ".npy":
        return "one matrix is no SAE; are these the activations?"
    if path.suffix in _files.SUFFIXES:
        # Says so if it is damaged, or holds what could run code.
        held = _files.contents(path)
        if len(held) == 1:
            return "one matrix is no SAE; are these the activations?"
        names = ", ".join(sorted(held)[:8])
        return f"no SAE of a format known; it holds {names}. Known are: {known}"
    return f"no SAE of a format known. Known are: {known}"
