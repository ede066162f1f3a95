"""Inferred codes as files: only the non-zero entries are kept (CF's contiguous ragged array)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr

from sae_surgery import store
from sae_surgery.data import SCORED, CellData
from sae_surgery.store import Origin, Variable


def write_codes(
    path: Path, codes: dict[str, np.ndarray], data: CellData, method: str, origin: Origin
) -> None:
    """Write codes (seed, sample, atom) by split; nothing for a method that was skipped."""
    stacked = np.concatenate([codes[split] for split in SCORED], axis=1) if codes else None
    store.write(
        path,
        "codes",
        () if stacked is None else _variables(stacked, data),
        origin,
        cell=data.cell.name,
        method=method,
        n_atoms=0 if stacked is None else stacked.shape[-1],
    )


class Codes:
    """The codes of one method on one cell.

    Raises
    ------
    StoreError
        If the file is damaged, or the codes were not inferred on `data`.
    """

    def __init__(self, path: Path, data: CellData) -> None:
        self._file: xr.Dataset = store.read(path, "codes", {"data": data.digest})
        self.digest: str = self._file.attrs["digest"]
        self.method: str = self._file.attrs["method"]
        self.status: str = self._file.attrs["status"]

    def dense(self, split: str, seed_index: int) -> np.ndarray:
        """Return the codes of a split for one seed, (sample, atom)."""
        counts = self._file["n_active"].values
        start = counts[:seed_index].sum()
        entries = slice(start, start + counts[seed_index].sum())
        codes = np.zeros((counts.shape[1], self._file.attrs["n_atoms"]), self._file["value"].dtype)
        rows = np.repeat(np.arange(counts.shape[1]), counts[seed_index])
        codes[rows, self._file["atom"].values[entries]] = self._file["value"].values[entries]
        return codes[self._file["split"].values == split]


def _variables(codes: np.ndarray, data: CellData) -> Iterator[tuple[str, Variable]]:
    seeds, samples, atoms = np.nonzero(codes)
    yield "seed", Variable(("seed",), np.array(data.seeds, np.int64), "seed of the random stream")
    split = Variable(("sample",), data.scored_split(), "split that the sample belongs to", None)
    yield "split", split
    counts = np.count_nonzero(codes, axis=2)
    yield (
        "n_active",
        Variable(("seed", "sample"), counts.astype(np.int64), "number of non-zero code entries"),
    )
    yield "atom", Variable(("entry",), atoms.astype(np.int32), "index of the active atom", None)
    values = codes[seeds, samples, atoms]
    yield "value", Variable(("entry",), values, "value of the code entry")
