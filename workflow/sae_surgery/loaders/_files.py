"""Reads tensors and configurations from files, without running anything that stands in them."""

import json
import pickletools
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from sae_surgery.errors import SurgeryError

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = (".npz", ".safetensors", ".pt", ".pth")
HARMLESS = ("torch", "collections", "numpy", "_codecs")
"""Modules that a file of tensors alone names; anything else is a class of somebody's."""

CALLS = re.compile("global|reduce", re.IGNORECASE)
"""What PyTorch says of a pickle that names a class or calls a function."""


def names(path: Path) -> tuple[str, ...]:
    """Return the names of all tensors in a file, and of a `.pt` file all words in it.

    Imports neither NumPy nor PyTorch, and returns none where a file cannot be read: `tensors` says
    why.
    """
    if path.suffix not in NAMES or not path.is_file():
        return ()
    try:
        return tuple(NAMES[path.suffix](path))
    except (OSError, ValueError, zipfile.BadZipFile):
        return ()


def _npz_names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def _safetensors_names(path: Path) -> list[str]:
    """Return the keys of the header, which is JSON after its length in 8 bytes."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > path.stat().st_size:
            return []
        header = json.loads(file.read(length))
    return [name for name in header if name != "__metadata__"]


def _torch_names(path: Path) -> list[str]:
    return [word for _, word in _words(path)]


NAMES = {
    ".npz": _npz_names,
    ".safetensors": _safetensors_names,
    ".pt": _torch_names,
    ".pth": _torch_names,
}


def _words(path: Path) -> list[tuple[str, str]]:
    """Return the strings of a pickle with their operations; nothing is unpickled."""
    with zipfile.ZipFile(path) as archive:
        (pickle,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        found = pickletools.genops(archive.read(pickle))
        return [(op.name, word) for op, word, _ in found if isinstance(word, str)]


def foreign_classes(path: Path) -> list[str]:
    """Return what a `.pt` file names of modules other than PyTorch's own: classes it pickles."""
    try:
        named = [word.replace(" ", ".") for op, word in _words(path) if op == "GLOBAL"]
    except (OSError, ValueError, zipfile.BadZipFile):
        return []
    foreign = (name for name in named if not name.startswith(tuple(f"{m}." for m in HARMLESS)))
    modules = (name for name in named if name.startswith("torch.nn.modules."))
    return sorted({*foreign, *modules})


def tensors(path: Path) -> "dict[str, Tensor]":
    """Read all real tensors of a file by name; floating ones as float32.

    Tensors of a dictionary in a dictionary are named with a point between.

    Raises
    ------
    SurgeryError
        If there is no such file, it is damaged, or it holds pickled classes.
    """
    import torch

    return {
        name: value.float() if value.is_floating_point() else value
        for name, value in contents(path).items()
        if isinstance(value, torch.Tensor)
    }


def contents(path: Path) -> dict[str, Any]:
    """Read a file of tensors, and of numbers and strings where it holds some; see `tensors`."""
    if not path.is_file():
        raise SurgeryError(f"{path}: there is no such file")
    if classes := foreign_classes(path):
        raise _pickled(path, ", ".join(classes[:3]))
    try:
        return _flat(READERS[path.suffix](path))
    except UnpicklingError as error:
        if zipfile.is_zipfile(path) or CALLS.search(str(error)):
            raise _pickled(path, "and not tensors alone") from error
        raise SurgeryError(f"{path}: not a readable {path.suffix} file of tensors") from error
    except Exception as error:
        # Each library has errors of its own for a damaged file.
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise SurgeryError(f"{path}: not a readable {path.suffix} file: {reason}") from error


def _pickled(path: Path, classes: str) -> SurgeryError:
    return SurgeryError(
        f"{path}: holds pickled classes ({classes}), which could run code; save the model's "
        "state_dict() instead, as torch.save(model.state_dict(), path)"
    )


def _npz(path: Path) -> Any:
    import numpy as np
    import torch

    with np.load(path, allow_pickle=False) as file:
        held = {name: file[name] for name in file.files}
    return {
        name: torch.from_numpy(array) if array.dtype.kind in "fiub" else array
        for name, array in held.items()
    }


def _safetensors(path: Path) -> Any:
    from safetensors.torch import load_file

    return load_file(path)


def _torch(path: Path) -> Any:
    import torch

    return torch.load(path, map_location="cpu", weights_only=True)


READERS = {".npz": _npz, ".safetensors": _safetensors, ".pt": _torch, ".pth": _torch}


def _flat(held: Any, before: str = "") -> dict[str, Any]:
    if not isinstance(held, dict):
        return {before.removesuffix(".") or "tensor": held}
    flat: dict[str, Any] = {}
    for key, value in held.items():
        flat |= _flat(value, f"{before}{key}.")
    return flat


def configuration(path: Path) -> dict[str, Any]:
    """Read a configuration in JSON.

    Raises
    ------
    SurgeryError
        If there is no such file, or it is not a mapping in JSON.
    """
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        needed = "there is no such file, and the SAE cannot be read without; copy it there"
        raise SurgeryError(f"{path}: {needed}") from error
    except ValueError as error:
        raise SurgeryError(f"{path}: not readable as JSON: {error}") from error
    if not isinstance(read, dict):
        raise SurgeryError(f"{path}: must be a mapping, got {type(read).__name__}")
    return read


def require(path: Path, held: "dict[str, Tensor]", *wanted: str) -> "list[Tensor]":
    """Return tensors by name.

    Raises
    ------
    SurgeryError
        If one is missing.
    """
    missing = [name for name in wanted if name not in held]
    if missing:
        raise SurgeryError(
            f"{path}: {', '.join(missing)} missing; it holds {', '.join(sorted(held)) or 'nothing'}"
        )
    return [held[name] for name in wanted]


def beside(path: Path, first: str, *others: str) -> tuple[Path, ...]:
    """Return files of a folder that holds `first`, and those of the others that it holds, too.

    `path` is the folder or one of these files; none are returned where `first` is missing.
    """
    if path.is_dir():
        folder = path
    elif path.name in (first, *others):
        folder = path.parent
    else:
        return ()
    found = tuple(folder / name for name in (first, *others) if (folder / name).is_file())
    return found if found and found[0].name == first else ()


def number(path: Path, config: Mapping[str, Any], key: str, kind: type = int) -> Any:
    """Return a number of a configuration.

    Raises
    ------
    SurgeryError
        If it is missing or no such number.
    """
    value = config.get(key)
    if getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float) or kind(value) != value:
        raise SurgeryError(f"{path}: {key} must be a number ({kind.__name__}), got {value!r}")
    return kind(value)
