"""Users' matrices, from the files in which activations are kept.

Read are `.npy` (by memory map), `.npz` and `.safetensors` with one matrix or one of a given name,
`.pt` and `.pth` that hold tensors alone (nothing is unpickled that could run code), and folders of
these, in the order of their names. Arrays of more than two dimensions are flattened to (row,
column); half precision is read as float32.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sae_surgery.errors import SurgeryError

ROWS_AT_ONCE = 65_536


@dataclass(frozen=True)
class Matrix:
    """A matrix in a file or a folder, of which rows are read as they are asked for."""

    path: Path
    parts: tuple[Any, ...]
    """Arrays (row, …, column), mapped rather than read where the format allows."""

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.parts[0].shape[-1]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return sum(map(_rows, self.parts))

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Return rows (row, column) by number, float32.

        Raises
        ------
        SurgeryError
            If a row holds a value that is not finite.
        """
        taken = np.empty((len(rows), self.width), np.float32)
        start = 0
        for part in self.parts:
            places = np.flatnonzero((start <= rows) & (rows < start + _rows(part)))
            # In the order of the file, which a disk likes.
            places = places[np.argsort(rows[places], kind="stable")]
            for some in np.array_split(places, max(1, math.ceil(len(places) / ROWS_AT_ONCE))):
                taken[some] = _as_float32(part, rows[some] - start)
            start += _rows(part)
        bad = np.flatnonzero(~np.isfinite(taken).all(axis=1))
        if len(bad):
            raise SurgeryError(
                f"{self.path}: row {rows[bad[0]]} holds a value that is not finite, as do "
                f"{len(bad) - 1} other rows of the {len(rows)} read"
            )
        return taken


def open_matrix(path: Path) -> Matrix:
    """Open a file or a folder of activations.

    Raises
    ------
    SurgeryError
        If there is no such file, its format is unknown, it is damaged, holds no matrix or several,
        is empty, has values that are no real numbers, or widths in a folder differ.
    """
    if not path.exists():
        raise SurgeryError(f"{path}: there is no such file or folder")
    files = _files_of(path) if path.is_dir() else [path]
    parts = [(file, _open(file)) for file in files]
    for file, part in parts:
        _check(file, part)
    widths = {part.shape[-1]: file for file, part in parts}
    if len(widths) > 1:
        found = ", ".join(f"{width} in {file.name}" for width, file in widths.items())
        raise SurgeryError(f"{path}: all files must be equally wide, got {found}")
    return Matrix(path, tuple(part for _, part in parts))


def _files_of(folder: Path) -> list[Path]:
    files = sorted(file for file in folder.iterdir() if file.suffix in FORMATS)
    if not files:
        raise SurgeryError(f"{folder}: no file in it ends with {', '.join(FORMATS)}")
    return files


def _open(path: Path) -> Any:
    if path.suffix not in FORMATS:
        raise SurgeryError(f"{path}: activations are read from {', '.join(FORMATS)}")
    try:
        return FORMATS[path.suffix](path)
    except SurgeryError:
        raise
    except Exception as error:
        # Each library has errors of its own for a damaged file.
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise SurgeryError(f"{path}: not a readable {path.suffix} file: {reason}") from error


def _npy(path: Path) -> np.ndarray:
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _npz(path: Path) -> np.ndarray:
    with np.load(path, allow_pickle=False) as file:
        return file[_only(path, file.files, lambda name: file[name].ndim)]


def _safetensors(path: Path) -> Any:
    from safetensors import safe_open

    file = safe_open(path, framework="pt")
    name = _only(path, list(file.keys()), lambda name: len(file.get_slice(name).get_shape()))
    return file.get_tensor(name)


def _torch(path: Path) -> Any:
    import torch

    held = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    if isinstance(held, torch.Tensor):
        return held
    tensors = {key: value for key, value in held.items() if isinstance(value, torch.Tensor)}
    return tensors[_only(path, list(tensors), lambda name: tensors[name].ndim)]


FORMATS: dict[str, Callable[[Path], Any]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".safetensors": _safetensors,
    ".pt": _torch,
    ".pth": _torch,
}
"""What opens a file, by its suffix."""


def _only(path: Path, names: Sequence[str], n_dims: Callable[[str], int]) -> str:
    """Return the name of the only array with two dimensions or more."""
    matrices = [name for name in names if n_dims(name) >= 2]
    if len(matrices) != 1:
        held = ", ".join(matrices) or "none"
        raise SurgeryError(f"{path}: one matrix is needed, and it holds {held}")
    return matrices[0]


def _check(path: Path, part: Any) -> None:
    shape = tuple(part.shape)
    if len(shape) < 2 or 0 in shape:
        raise SurgeryError(f"{path}: a matrix of (sample, dimension) is needed, got shape {shape}")
    kind = str(part.dtype)
    if not any(word in kind for word in ("float", "int")):
        raise SurgeryError(f"{path}: real numbers are needed, got {kind}")


def _rows(part: Any) -> int:
    return math.prod(part.shape[:-1])


def _as_float32(part: Any, rows: np.ndarray) -> np.ndarray:
    flat = part.reshape(-1, part.shape[-1])
    if isinstance(flat, np.ndarray):
        return flat[rows].astype(np.float32)
    return flat[rows].float().numpy()


def read_labels(path: Path) -> np.ndarray:
    """Read one binary label a row from a `.npy` file of booleans or of 0 and 1; bool (row,).

    Raises
    ------
    SurgeryError
        If the file is missing, damaged, or holds anything else.
    """
    if not path.is_file():
        raise SurgeryError(f"{path}: there is no such file")
    labels = np.asarray(_open(path)).squeeze()
    if path.suffix != ".npy" or labels.ndim != 1 or not np.isin(labels, (0, 1)).all():
        raise SurgeryError(f"{path}: a .npy file of one label a row is needed, each 0 or 1")
    return labels.astype(bool)
