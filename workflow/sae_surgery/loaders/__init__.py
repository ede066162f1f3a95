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

_registry = Registry(__name__, Path(__file__).parent, "format", besides=("base", "check"))
trait = _registry.trait


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
    return _loader_of(Path(path), format)[0].read(Path(path))


def files(path: Path, format: str | None = None) -> tuple[Path, ...]:
    """Return the files that `load` reads, having looked at names of files and tensors alone.

    Raises
    ------
    SurgeryError
        As `load` does where it is of no format known.
    """
    return _loader_of(Path(path), format)[1]


def _loader_of(path: Path, format: str | None) -> "tuple[Loader, tuple[Path, ...]]":
    if not path.exists():
        raise SurgeryError(f"{path}: there is no such file or folder")
    candidates = [loader(name) for name in ([format] if format else available())]
    found = [(each, files) for each in candidates if (files := each.files(path))]
    if len(found) == 1:
        return found[0]
    if found:
        kinds = ", ".join(type(each).__module__.rpartition(".")[2] for each, _ in found)
        raise SurgeryError(f"{path}: could be {kinds}; say which, as format")
    raise SurgeryError(f"{path}: {_why_unknown(path, candidates)}")


def _why_unknown(path: Path, candidates: "list[Loader]") -> str:
    """Say what a path holds instead of an SAE, and what to give instead."""
    if path.is_dir():
        inner = sorted(p for p in path.iterdir() if p.is_dir() and _is_known(p, candidates))
        if inner:
            return f"holds {len(inner)} SAEs; give the folder of one, such as {inner[0]}"
    elif path.suffix == ".npy":
        return "one matrix is no SAE; are these the activations?"
    elif classes := _files.foreign_classes(path):
        return (
            f"holds pickled classes ({', '.join(classes[:3])}), which could run code; save the "
            "model's state_dict() instead, as torch.save(model.state_dict(), path)"
        )
    elif path.suffix in _files.SUFFIXES:
        _files.contents(path)  # says so if it is damaged
        if len(_files.names(path)) == 1:
            return "one matrix is no SAE; are these the activations?"
    known = "; ".join(f"{each.title}: {each.looks_like}" for each in candidates)
    return f"not a trained SAE of a known format. Known are: {known}"


def _is_known(path: Path, candidates: "list[Loader]") -> bool:
    return any(each.files(path) for each in candidates)
