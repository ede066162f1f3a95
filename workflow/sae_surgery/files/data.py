"""One cell's data, read from its file: dictionary, true codes, observations and labels."""

import json
from pathlib import Path

import numpy as np
import xarray as xr

from sae_surgery.files import store
from sae_surgery.problems.paper import Cell
from sae_surgery.problems.sampling import dense_codes, labels, observe

SPLITS = ("train", "val", "ood")
SCORED = ("val", "ood")
"""Splits on which codes are inferred and scored: `val` is what the tables call `id`."""


ALL_SEEDS = slice(None)


class CellData:
    """The data of one cell, all seeds.

    Raises
    ------
    StoreError
        If the file is missing, damaged or not a data file.
    """

    def __init__(self, path: Path) -> None:
        self._file: xr.Dataset = store.read(path, "data")
        self.digest: str = self._file.attrs["digest"]
        made_from = json.loads(self._file.attrs["inputs"])
        self.root: str = made_from.get("data", self.digest)
        """Digest of the file whose dictionary and train samples these are, often this one; a model
        that was fitted on that one is a model of this one."""
        self.cell = Cell.parse(self._file.attrs["cell"])
        self.seeds: tuple[int, ...] = tuple(int(seed) for seed in self._file["seed"].values)

    def dictionary(self, seed_index: int | slice = ALL_SEEDS) -> np.ndarray:
        """Return A, (seed, obs, latent), or of one seed (obs, latent), float64."""
        return self._file["dictionary"][seed_index].values

    def observations(self, split: str) -> np.ndarray:
        """Return Y = Z Aᵀ of a split, (seed, sample, obs), float64."""
        parts = zip(self._file["dictionary"], *self.sparse_codes(split), strict=True)
        # One seed's dictionary at a time: those of the largest cells fill gigabytes.
        return np.stack([observe(dictionary.values, *codes) for dictionary, *codes in parts])

    def true_codes(self, split: str, seed_index: int) -> np.ndarray:
        """Return Z of a split for one seed, (sample, latent), float64."""
        support, magnitude = self.sparse_codes(split)
        return dense_codes(support[seed_index], magnitude[seed_index], self.cell.n_latents)

    def labels(self, split: str, seed_index: int) -> np.ndarray:
        """Return the binary label z_0 > 0.5 of a split for one seed, (sample,)."""
        support, magnitude = self.sparse_codes(split)
        return labels(support[seed_index], magnitude[seed_index])

    def scored_split(self) -> np.ndarray:
        """Return the split of each sample that is scored, in order, (sample,)."""
        split = self._file["split"].values
        return split[np.isin(split, SCORED)]

    def sparse_codes(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Return support and magnitude of a split, both (seed, sample, active)."""
        chosen = self._file["split"].values == split
        return self._file["support"].values[:, chosen], self._file["magnitude"].values[:, chosen]
