"""One problem's data, read from its file: observations, and what is known of their making."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import xarray as xr

from sae_surgery import problems
from sae_surgery.errors import SurgeryError
from sae_surgery.files import store
from sae_surgery.problems.base import Drawn, Problem
from sae_surgery.problems.laws.sampling import dense_codes, labels, observe
from sae_surgery.problems.paper import Cell

SCORED = ("val", "ood")
"""Splits on which codes are inferred and scored: `val` is what the tables call `id`."""
ALL_SEEDS = slice(None)
UNITS = ("offset", "scale")


class CellData:
    """The data of one problem, all seeds.

    Raises
    ------
    StoreError
        If the file is missing, damaged or not a data file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: xr.Dataset = store.read(path, "data")
        self.digest: str = self._file.attrs["digest"]
        made_from = json.loads(self._file.attrs["inputs"])
        self.root: str = made_from.get("data", self.digest)
        """Digest of the file whose dictionary and train samples these are, often this one; a model
        that was fitted on that one is a model of this one."""
        self.cell: Problem = _problem(self._file.attrs)
        self.seeds: tuple[int, ...] = tuple(int(seed) for seed in self._file["seed"].values)

    @property
    def knows(self) -> tuple[str, ...]:
        """What is known beside the observations: of `dictionary`, `codes` and `labels`."""
        variables = {"dictionary": "dictionary", "codes": "support"}
        found = [what for what, name in variables.items() if name in self._file]
        return (*found, "labels") if "label" in self._file or "codes" in found else tuple(found)

    @property
    def scored(self) -> tuple[str, ...]:
        """The splits of `SCORED` that have samples."""
        return tuple(split for split in SCORED if self._chosen(split).any())

    @property
    def keeps_observations(self) -> bool:
        """Whether observations are kept, and are not A z alone."""
        return "observations" in self._file

    def dictionary(self, seed_index: int | slice = ALL_SEEDS) -> np.ndarray:
        """Return A, (seed, obs, latent), or of one seed (obs, latent), float64."""
        return self._known("dictionary")[seed_index].values

    def observations(self, split: str) -> np.ndarray:
        """Return Y of a split, (seed, sample, obs): as kept, or else A z, float64."""
        if self.keeps_observations:
            return self.kept_observations(split)
        parts = zip(self._known("dictionary"), *self.sparse_codes(split), strict=True)
        # One seed's dictionary at a time: those of the largest cells fill gigabytes.
        return np.stack([observe(dictionary.values, *codes) for dictionary, *codes in parts])

    def kept_observations(self, split: str, seed_index: int | slice = ALL_SEEDS) -> np.ndarray:
        """Return Y of a split as kept, (seed, sample, obs), or of one seed (sample, obs)."""
        return self._file["observations"][seed_index].values[..., self._chosen(split), :]

    def true_codes(self, split: str, seed_index: int) -> np.ndarray:
        """Return Z of a split for one seed, (sample, latent), float64."""
        support, magnitude = self.sparse_codes(split)
        return dense_codes(support[seed_index], magnitude[seed_index], self.cell.n_latents)

    def units(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Return what was subtracted from observations (seed, obs), and their divisor (seed,)."""
        kept = (self._file[name].values if name in self._file else None for name in UNITS)
        return tuple(kept)

    def labels(self, split: str, seed_index: int) -> np.ndarray:
        """Return the binary label of a split for one seed, (sample,): as kept, or else z₀ > ½."""
        if "label" in self._file:
            return self._file["label"].values[seed_index, self._chosen(split)].astype(bool)
        support, magnitude = self.sparse_codes(split)
        return labels(support[seed_index], magnitude[seed_index])

    def drawn(self, seed_index: int) -> Drawn:
        """Return all that the file holds of one seed."""
        names = {field.name: field.name for field in fields(Drawn)} | {"labels": "label"}
        return Drawn(
            **{
                field: self._file[name][seed_index].values
                for field, name in names.items()
                if name in self._file
            }
        )

    def scored_split(self) -> np.ndarray:
        """Return the split of each sample that is scored, in order, (sample,)."""
        split = self._file["split"].values
        return split[np.isin(split, SCORED)]

    def sparse_codes(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Return support and magnitude of a split, both (seed, sample, active)."""
        chosen = self._chosen(split)
        support, magnitude = self._known("support"), self._known("magnitude")
        return support.values[:, chosen], magnitude.values[:, chosen]

    def _chosen(self, split: str) -> np.ndarray:
        return self._file["split"].values == split

    def _known(self, name: str) -> xr.DataArray:
        if name not in self._file:
            kind = self.cell.kind()
            raise SurgeryError(f"{self._path}: a problem of the kind {kind} has no true {name}")
        return self._file[name]


def _problem(attributes: dict[str, str]) -> Problem:
    """Return the problem of a data file; those of the paper were once kept by name alone."""
    if "problem" not in attributes:
        return Cell.parse(attributes["cell"])
    return problems.load(attributes["problem"], json.loads(attributes["problem_settings"]))
