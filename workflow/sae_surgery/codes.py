"""Inferred codes as files: only the non-zero entries are kept (CF's contiguous ragged array).

A method's codes lie over (seed, sample), a surgery's over (outcome, seed, sample).
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from sae_surgery import store
from sae_surgery.data import CellData
from sae_surgery.store import Origin, Slices, Variable

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


def write_codes(
    path: Path, packed: PackedCodes | None, data: CellData, method: str, origin: Origin
) -> None:
    """Write a method's codes of the scored splits; nothing if it was skipped."""
    store.write(
        path,
        "codes",
        packed.variables(data) if packed else (),
        origin,
        cell=data.cell.name,
        method=method,
        n_atoms=packed.n_atoms if packed else 0,
    )


class Codes:
    """The codes in a file.

    Raises
    ------
    StoreError
        If the file is damaged, of another kind, or its codes were not inferred on `data`.
    """

    def __init__(self, path: Path, data: CellData, kind: str = "codes") -> None:
        self.file: xr.Dataset = store.read(path, kind, {"data": data.digest})
        self.digest: str = self.file.attrs["digest"]
        self.method: str = self.file.attrs["method"]
        self.status: str = self.file.attrs["status"]

    @property
    def lam(self) -> float | None:
        """λ of the lasso that the codes solve; None if they are made otherwise."""
        settings = json.loads(self.file.attrs["settings"])
        return settings["lam"] if "solver" in settings else None

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
