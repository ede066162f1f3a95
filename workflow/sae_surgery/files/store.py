"""The file contract: results are NetCDF-4 files that explain themselves; only this opens one.

A file is written under a temporary name, reopened and checked, and only then renamed: it exists
whole or not at all. It carries the digests of its own content, of the code that made it and of the
files it was made from; the reader recomputes the first and compares the last. Time stamps, wall
seconds and peak memory stay out, so that the same inputs give the same bytes (Snakemake's benchmark
files hold them).
"""

import fcntl
import hashlib
import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import xarray as xr
from xarray.backends import CachingFileManager, NetCDF4DataStore
from xarray.backends.netCDF4_ import NETCDF4_PYTHON_LOCK

from sae_surgery.errors import SurgeryError
from sae_surgery.machine.atomic import replacing
from sae_surgery.machine.divergence import DIVERGED

LOCKING = "HDF5_USE_FILE_LOCKING"
"""What HDF5 asks whether to lock files; the package says no, unless the user has decided."""
UNLOCK = f"{LOCKING}=FALSE in the environment"
CONVENTIONS = "CF-1.11"
AT_ONCE = 2**24
"""Numbers that are read at once to be checked."""
LIBRARIES = ("netcdf4", "numpy", "scikit-learn", "scipy", "torch", "xarray")

SKIPPED = "skipped: "
"""How the status of a file begins that is empty."""

REQUIRED: dict[str, dict[str, tuple[str, ...]]] = {
    "data": {"split": ("sample",)},
    "model": {},
    "codes": {
        "n_active": ("seed", "sample"),
        "atom_index": ("entry",),
        "value": ("entry",),
        "split": ("sample",),
    },
    "operation": {
        "condition": ("outcome",),
        "n_active": ("outcome", "seed", "sample"),
        "atom_index": ("entry",),
        "value": ("entry",),
        "split": ("sample",),
    },
    "metrics": {"status": ("method",)},
    "verdict": {"gain": ("method", "n_latents", "metric", "part", "seed")},
    "table": {"title": ("method",), "family": ("method",)},
    "benchmarks": {"comparison": ("row",), "contestant": ("row",), "median": ("row",)},
    "rows": {
        "observations": ("sample", "obs"),
        "row": ("sample",),
        "split": ("sample",),
        "seen": ("sample",),
    },
    "reading": {
        "dictionary": ("obs", "atom"),
        "bias": ("obs",),
        "fired": ("atom",),
        "observations": ("sample", "obs"),
        "n_active": ("sample",),
        "atom_index": ("entry",),
        "value": ("entry",),
    },
    "learned": {"dictionary": ("obs", "atom")},
    "answer": {
        "condition": ("row",),
        "quantity": ("row",),
        "split": ("row",),
        "at": ("row",),
        "value": ("row",),
        "low": ("row",),
        "high": ("row",),
    },
}
"""Variables, with their dimensions, that a file of each kind must hold (if its status is ok)."""

OPTIONAL: dict[str, dict[str, tuple[str, ...]]] = {
    "data": {
        "dictionary": ("seed", "obs", "latent"),
        "support": ("seed", "sample", "active"),
        "magnitude": ("seed", "sample", "active"),
        "observations": ("seed", "sample", "obs"),
        "label": ("seed", "sample"),
        "offset": ("seed", "obs"),
        "scale": ("seed",),
    },
    "rows": {"label": ("sample", "class"), "class": ("class",)},
}
"""Variables that it may hold."""


class StoreError(SurgeryError):
    """A result file that is missing, damaged, foreign or stale; the text names the file."""


@dataclass(frozen=True)
class Variable:
    """One array of a result file with all that it needs to explain itself."""

    dims: tuple[str, ...]
    """Names of the dimensions, outermost first."""
    values: "np.ndarray | Slices"
    """The numbers or strings."""
    long_name: str
    units: str | None = "1"
    """Units; "1" for dimensionless, None for text."""
    nan_means: str | None = None
    """What NaN stands for; None forbids NaN."""


@dataclass(frozen=True)
class Slices:
    """An array that is too large to hold: slices of it along the first dimension, one by one."""

    shape: tuple[int, ...]
    dtype: np.dtype
    slices: Iterable[np.ndarray]


@dataclass(frozen=True)
class Origin:
    """What a file was made from; becomes global attributes."""

    title: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Configuration of the step."""
    code: str = ""
    """Digest of the step's source (`sae_surgery.machine.provenance`)."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Content digests of the input files, by role."""
    device: str = "cpu"
    threads: int = 1
    status: str = "ok"
    """`ok`; `skipped: <reason>` for a method that cannot run on a cell; or `diverged: seed 0 at
    epoch 3; …` where the training of these seeds did. The others are sound."""


def write(
    path: Path,
    kind: str,
    variables: Iterable[tuple[str, Variable]],
    origin: Origin,
    **attributes: Any,
) -> str:
    """Write a result file of a `kind` (a key of `REQUIRED`), atomically and checked.

    Parameters
    ----------
    variables
        Pairs of name and variable, consumed in order: a generator may make them one at a time.

    Returns
    -------
    The digest of the file's content.

    Raises
    ------
    StoreError
        If the content breaks the contract, or the disk is full; nothing is left behind then.
    """
    try:
        return _write(path, kind, variables, origin, attributes)
    except RuntimeError as error:
        if not str(error).startswith("NetCDF"):
            raise
        # The library says no more than that writing failed.
        raise StoreError(f"{path}: cannot be written; is the disk full? ({error})") from error


def _write(
    path: Path,
    kind: str,
    variables: Iterable[tuple[str, Variable]],
    origin: Origin,
    attributes: Mapping[str, Any],
) -> str:
    with replacing(path) as temporary:
        with _open(temporary, "w") as file:
            file.setncatts(_attributes(kind, origin, attributes))
            for name, variable in variables:
                _write_variable(file, name, variable)
        with _open(temporary, "a") as file:
            _check(file, path, kind)
            digest = _content_digest(file, path)
            file.setncattr("digest", digest)
    return digest


def read(path: Path, kind: str, inputs: Mapping[str, str] | None = None) -> xr.Dataset:
    """Open a result file after checking that it is whole, of the `kind` wanted, and not stale.

    Parameters
    ----------
    inputs
        Content digests, by role, that the file must have been made from; roles left out are free.

    Raises
    ------
    StoreError
        If the file is missing, locked, damaged, of another kind, or made from other inputs.
    """
    try:
        manager = _shared(path)
        with manager.acquire_context() as file:
            _check(file, path, kind)
            recorded, found = getattr(file, "digest", None), _content_digest(file, path)
            made_from = json.loads(file.inputs)
    except (OSError, RuntimeError, AttributeError, json.JSONDecodeError) as error:
        raise StoreError(f"{path}: {_fault(error)}") from error
    if recorded != found:
        raise StoreError(f"{path}: damaged; its content does not match the digest that it carries")
    for role, digest in (inputs or {}).items():
        if made_from.get(role) != digest:
            raise StoreError(f"{path}: stale or foreign; it was made from another {role} file")
    content = xr.open_dataset(NetCDF4DataStore(manager, mode="r"), decode_cf=False, cache=True)
    # Others may read by the same handle, so that `close` closes nothing: the last to go does.
    content.set_close(None)
    return content


@dataclass(frozen=True)
class _Opener:
    """Opens a file to read it; equal for all paths of the same file."""

    path: Path = field(compare=False)
    place: tuple[int, int]
    """Device and inode."""

    def __call__(self, mode: str) -> netCDF4.Dataset:
        file = _open(self.path, mode)
        if _place(self.path) != self.place:
            file.close()
            raise StoreError(f"{self.path}: was replaced by another file while it was read")
        return file


def _shared(path: Path) -> CachingFileManager:
    """Return what opens a file, once in this process however many read it.

    HDF5 does not bear a file with text that is open twice: its text variables refer to the handle
    that opened them first, also when that is closed (netcdf-c's issue 2510, h5py's 2920), and what
    is opened next fails or crashes.
    """
    opener = _Opener(path, _place(path))
    return CachingFileManager(opener, mode="r", lock=NETCDF4_PYTHON_LOCK, manager_id=__name__)


def _place(path: Path) -> tuple[int, int]:
    """Return device and inode of a file."""
    status = path.stat()
    return status.st_dev, status.st_ino


def _open(path: Path, mode: str) -> netCDF4.Dataset:
    """Open a file, in one of the library's modes.

    Raises
    ------
    OSError
        If it cannot be opened. The library's own error numbers, which are negative, are of its
        content then: a lock, which they do not tell from damage, is named.
    """
    try:
        return netCDF4.Dataset(path, mode, format="NETCDF4")
    except UnicodeEncodeError as error:
        encoding = sys.getfilesystemencoding()
        raise OSError(f"its name has characters that the locale's {encoding} lacks") from error
    except OSError as error:
        lock = _lock_on(path)
        if lock is None:
            raise
        raise OSError(lock) from error


def _lock_on(path: Path) -> str | None:
    """Return what keeps HDF5, where it locks files, from locking this one; None if nothing does."""
    if os.environ.get(LOCKING, "TRUE").upper() in {"FALSE", "0"} or not path.is_file():
        return None
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return f"locked: another program has it open for writing; {UNLOCK} lets it be read"
        except OSError as error:
            return f"its file system refuses locks ({error.strerror}); {UNLOCK} does without"
    return None


def _fault(error: Exception) -> str:
    """Return what is wrong with a file that an error kept from being read."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, OSError) and (error.errno or 0) >= 0:
        return f"cannot be read: {error}"
    return f"not a readable result file, truncated perhaps ({error})"


def _attributes(kind: str, origin: Origin, attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Conventions": CONVENTIONS,
        "title": origin.title,
        "kind": kind,
        "status": origin.status,
        "settings": json.dumps(origin.settings, sort_keys=True),
        "code": origin.code,
        "inputs": json.dumps(origin.inputs, sort_keys=True),
        "versions": json.dumps({name: version(name) for name in LIBRARIES}),
        "device": origin.device,
        "threads": origin.threads,
        **attributes,
    }


def _write_variable(file: netCDF4.Dataset, name: str, variable: Variable) -> None:
    values = variable.values if isinstance(variable.values, Slices) else np.asarray(variable.values)
    for dim, length in zip(variable.dims, values.shape, strict=True):
        if dim not in file.dimensions:
            file.createDimension(dim, length)
    text = values.dtype.kind in "UO"
    target = file.createVariable(name, str if text else values.dtype, variable.dims)
    target.long_name = variable.long_name
    if variable.units is not None and not text:
        target.units = variable.units
    if variable.nan_means is not None:
        target.nan_means = variable.nan_means
    if isinstance(values, Slices):
        stop = 0
        for part in values.slices:
            start, stop = stop, stop + len(part)
            target[start:stop] = part
    else:
        target[...] = values.astype(object) if text else values


def _check(file: netCDF4.Dataset, path: Path, kind: str) -> None:
    """Hold an open file against the contract."""
    found = getattr(file, "kind", None)
    if found != kind:
        raise StoreError(f"{path}: holds {found or 'nothing of ours'}, but a {kind} file is needed")
    if file.status != "ok" and not file.status.startswith((SKIPPED, DIVERGED)):
        allowed = "'ok', 'skipped: …' or 'diverged: …'"
        raise StoreError(f"{path}: status must be {allowed}, got {file.status!r}")
    required = REQUIRED[kind]
    for name, dims in (OPTIONAL.get(kind, {}) | required).items():
        if name in required and file.status == "ok" and name not in file.variables:
            raise StoreError(f"{path}: lacks the variable {name!r}")
        if name in file.variables and file[name].dimensions != dims:
            raise StoreError(f"{path}: {name!r} has dimensions {file[name].dimensions}, not {dims}")
    for name, variable in file.variables.items():
        if not hasattr(variable, "long_name"):
            raise StoreError(f"{path}: {name!r} lacks its long_name")


def _blocks(variable: netCDF4.Variable) -> Iterator[np.ndarray]:
    """Yield a variable in parts, in order, to bound memory."""
    variable.set_auto_mask(False)
    if variable.dtype is not str:
        yield from (np.asarray(variable[place]) for place in _places(variable.shape))
    elif variable.ndim < 2:
        yield np.asarray(variable[...])
    else:
        for index in range(variable.shape[0]):
            yield np.asarray(variable[index])


def _places(shape: tuple[int, ...]) -> Iterator[tuple[int | slice, ...]]:
    """Yield the indices, in order, of parts of an array that have at most `AT_ONCE` numbers."""
    if not shape:
        yield ()
        return
    length, *inner = shape
    inner_size = math.prod(inner)
    if inner_size > AT_ONCE:
        for index in range(length):
            yield from ((index, *place) for place in _places(tuple(inner)))
    else:
        step = AT_ONCE // max(1, inner_size)
        yield from ((slice(start, start + step),) for start in range(0, length, step))


def _content_digest(file: netCDF4.Dataset, path: Path) -> str:
    """Return the SHA-256 of all variables and attributes but the digest itself.

    Values are checked on the way, so that files of gigabytes are read once.
    """
    digest = hashlib.sha256()
    for name in sorted(set(file.ncattrs()) - {"digest"}):
        digest.update(f"{name}={file.getncattr(name)}\n".encode())
    for name in sorted(file.variables):
        variable = file[name]
        digest.update(f"{name} {variable.dimensions} {variable.shape} {variable.dtype}\n".encode())
        for attribute in sorted(variable.ncattrs()):
            digest.update(f"{attribute}={variable.getncattr(attribute)}\n".encode())
        for block in _blocks(variable):
            if block.dtype.kind in "UO":
                digest.update("\0".join(block.ravel()).encode())
            else:
                _check_finite(block, variable, path)
                digest.update(np.ascontiguousarray(block))
    return digest.hexdigest()


def _check_finite(block: np.ndarray, variable: netCDF4.Variable, path: Path) -> None:
    if block.dtype.kind == "f":
        bad = np.isinf(block) if hasattr(variable, "nan_means") else ~np.isfinite(block)
        if bad.any():
            counted = f"{bad.sum()} values that are not finite"
            raise StoreError(f"{path}: {variable.name!r} holds {counted}")
