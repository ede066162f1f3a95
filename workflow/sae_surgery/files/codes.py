"""Inferred codes as files: only the non-zero entries are kept (CF's contiguous ragged array).

A method's codes lie over (seed, sample), a surgery's over (outcome, seed, sample).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from sae_surgery.errors import SurgeryError
from sae_surgery.files import store
from sae_surgery.files.data import CellData
from sae_surgery.files.store import Origin, Slices, Variable
from sae_surgery.machine.divergence import MEANING, NO, status

ENTRIES_AT_ONCE = 2**22
"""Entries that are packed or written out at once: the two indices of each are 16 bytes."""


@dataclass(frozen=True)
class PackedCodes:
    """The non-zero entries of codes, row by row."""

    counts: np.ndarray
    """Number of entries of each row, (…, sample)."""
    atoms: np.ndarray | Slices
    """Index of the atom of each entry, (entry,)."""
    values: np.ndarray | Slices
    """Value of each entry, (entry,)."""
    n_atoms: int

    @classmethod
    def pack(cls, codes: np.ndarray) -> "PackedCodes":
        """Pack codes (seed, sample, atom)."""
        n_atoms = codes.shape[-1]
        counts = np.count_nonzero(codes, axis=-1).astype(np.int64)
        atoms, values = np.empty(counts.sum(), np.int32), np.empty(counts.sum(), codes.dtype)
        samples, last = codes.reshape(-1, n_atoms), 0
        for rows in _rows_at_once(samples):
            _, found = entries = np.nonzero(samples[rows])
            first, last = last, last + len(found)
            atoms[first:last], values[first:last] = found, samples[rows][entries]
        return cls(counts, atoms, values, n_atoms)

    @classmethod
    def join(cls, parts: Sequence["PackedCodes"]) -> "PackedCodes":
        """Join packed codes (seed, sample) of different samples, in order."""
        n_seeds = len(parts[0].counts)
        entries = [part.entries(seed) for seed in range(n_seeds) for part in parts]
        return cls(
            np.concatenate([part.counts for part in parts], axis=1),
            *(np.concatenate(arrays) for arrays in zip(*entries, strict=True)),
            parts[0].n_atoms,
        )

    def entries(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Return atoms and values of one index of the first dimension."""
        before = self.counts[:row].sum()
        chosen = slice(before, before + self.counts[row].sum())
        return self.atoms[chosen], self.values[chosen]

    @classmethod
    def stack(cls, parts: list["PackedCodes"]) -> "PackedCodes":
        """Stack packed codes along a new first dimension, to be written: entries are not copied."""
        n_entries = sum(len(part.atoms) for part in parts)
        atoms, values = ([getattr(part, name) for part in parts] for name in ("atoms", "values"))
        return cls(
            np.stack([part.counts for part in parts]),
            Slices((n_entries,), atoms[0].dtype, atoms),
            Slices((n_entries,), values[0].dtype, values),
            parts[0].n_atoms,
        )

    def among(self, seeds: Sequence[int], n_seeds: int) -> "PackedCodes":
        """Return codes (seed, sample) of some seeds, by index, ascending, as those of all."""
        counts = np.zeros((n_seeds, *self.counts.shape[1:]), self.counts.dtype)
        counts[list(seeds)] = self.counts
        return replace(self, counts=counts)

    def without(self, seeds: Sequence[int]) -> "PackedCodes":
        """Return the codes (seed, sample) with those of some seeds, by index, emptied."""
        kept = np.ones(len(self.counts), bool)
        kept[list(seeds)] = False
        entries = np.repeat(kept, self.counts.sum(axis=1))
        counts = self.counts * kept[:, None]
        return PackedCodes(counts, self.atoms[entries], self.values[entries], self.n_atoms)

    def not_finite(self) -> list[int]:
        """Return the indices of the seeds of codes (seed, sample) that are not all finite."""
        seeds = range(len(self.counts))
        return [seed for seed in seeds if not np.isfinite(self.entries(seed)[1]).all()]

    def variables(self, data: CellData, *before: str) -> Iterator[tuple[str, Variable]]:
        """Yield the variables of a file; `before` names the dimensions that stand before seed."""
        seeds = np.array(data.seeds, np.int64)
        yield "seed", Variable(("seed",), seeds, "seed of the random stream")
        split = data.scored_split()
        yield "split", Variable(("sample",), split, "split that the sample belongs to", None)
        rows = (*before, "seed", "sample")
        yield "n_active", Variable(rows, self.counts, "number of non-zero code entries")
        yield "atom_index", Variable(("entry",), self.atoms, "index of the active atom", None)
        yield "value", Variable(("entry",), self.values, "value of the code entry")


def diverged_variable(
    dims: tuple[str, ...], diverged: Mapping[Any, str], shape: tuple[int, ...]
) -> Variable:
    """Return what a file says of seeds that diverged, given when by place."""
    whens = np.full(shape, NO, object)
    for place, when in diverged.items():
        whens[place] = when
    return Variable(dims, whens, MEANING, None)


def write_codes(
    path: Path,
    packed: PackedCodes | None,
    data: CellData,
    method: str,
    origin: Origin,
    diverged: Mapping[int, str],
) -> None:
    """Write a method's codes of the scored splits; none if it was skipped, or all seeds diverged.

    `diverged` says of seeds that did, by index, when.
    """
    if diverged:
        origin = replace(origin, status=status(diverged, data.seeds))
    store.write(
        path,
        "codes",
        _variables(packed, data, diverged),
        origin,
        cell=data.cell.name,
        method=method,
        n_atoms=packed.n_atoms if packed else 0,
    )


def _variables(
    packed: PackedCodes | None, data: CellData, diverged: Mapping[int, str]
) -> Iterator[tuple[str, Variable]]:
    if packed:
        yield from packed.variables(data)
    if diverged:
        yield "diverged", diverged_variable(("seed",), diverged, (len(data.seeds),))


class Codes:
    """The codes in a file.

    Raises
    ------
    StoreError
        If the file is damaged, of another kind, or its codes were not inferred on `data`.
    """

    def __init__(self, path: Path, data: CellData, kind: str = "codes") -> None:
        self.path = path
        self.file: xr.Dataset = store.read(path, kind, {"data": data.digest})
        self.digest: str = self.file.attrs["digest"]
        self.method: str = self.file.attrs["method"]
        self.status: str = self.file.attrs["status"]
        self.model: str | None = json.loads(self.file.attrs["inputs"]).get("model")
        """Digest of the file of the model that made them."""
        self.empty = "n_active" not in self.file
        """Whether there are no codes at all: the method was skipped, or all seeds diverged."""

    @property
    def lam(self) -> float | None:
        """λ of the lasso that the codes solve; None if they are made otherwise."""
        settings = json.loads(self.file.attrs["settings"])
        return settings["lam"] if "solver" in settings else None

    def require_model(self, path: Path, method: str, digest: str) -> None:
        """Raise SurgeryError unless the model in a file, of a method and digest, made the codes."""
        if self.method != method:
            raise SurgeryError(f"{self.path}: codes of {self.method}, but {path} is of {method}")
        if self.model != digest:
            raise SurgeryError(f"{self.path}: codes of another model of {method} than {path}")

    def lacks(self, *place: int) -> bool:
        """Return whether there are no codes at a place: seed, or outcome and seed."""
        return self.empty or ("diverged" in self.file and self.file["diverged"].values[place] != NO)

    def diverged(self) -> dict[int, str]:
        """Return when seeds diverged, by index, that have no codes (of a method's codes)."""
        if "diverged" not in self.file:
            return {}
        whens = enumerate(self.file["diverged"].values.tolist())
        return {seed: when for seed, when in whens if when != NO}

    def dense(self, split: str, *place: int) -> np.ndarray:
        """Return the codes (sample, atom) of a split at a place: seed, or outcome and seed."""
        counts, splits = self.file["n_active"].values, self.file["split"].values
        row = np.ravel_multi_index(place, counts.shape[:-1])
        counts = counts.reshape(-1, counts.shape[-1])
        # A split's samples lie together, and so do their entries, which alone are read.
        (chosen,) = np.nonzero(splits == split)
        first, after = chosen[0], chosen[-1] + 1
        start = counts[:row].sum() + counts[row, :first].sum()
        entries = slice(start, start + counts[row, first:after].sum())
        atoms, values = (self.file[name][entries].values for name in ("atom_index", "value"))
        codes = np.zeros((len(chosen), self.file.attrs["n_atoms"]), values.dtype)
        last = 0
        for rows in _rows_at_once(codes):
            sizes = counts[row, first:after][rows]
            part = slice(last, last + sizes.sum())
            codes[rows][np.repeat(np.arange(len(sizes)), sizes), atoms[part]] = values[part]
            last = part.stop
        return codes


def _rows_at_once(codes: np.ndarray) -> Iterator[slice]:
    """Yield, in order, the samples of codes (sample, atom) whose entries are handled at once."""
    size = max(1, ENTRIES_AT_ONCE // max(1, codes.shape[1]))
    yield from (slice(start, start + size) for start in range(0, len(codes), size))
