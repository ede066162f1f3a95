"""The problems: cells of the paper, drawn in memory."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from sae_surgery.problems.laws.sampling import (
    dense_codes,
    draw_codes,
    draw_dictionary,
    labels,
    observe,
)
from sae_surgery.problems.laws.sizes import compressed_sensing_dim
from sae_surgery.problems.paper import Cell

K = 10
LAM = 0.1
SAMPLES_PER_LATENT = 10
"""To learn from, where dictionaries of several sizes are learned."""


@dataclass(frozen=True)
class Drawn:
    """One seed of a cell; train, val and ood samples lie one after the other."""

    cell: Cell
    dictionary: np.ndarray
    """A (obs, latent), float64"""
    support: np.ndarray
    magnitude: np.ndarray
    observations: np.ndarray
    """Y (sample, obs), float64"""

    def rows(self, split: str) -> slice:
        """Return where a split lies among the samples."""
        n_train, n_id = self.cell.n_train, self.cell.n_samples
        return {"train": slice(n_train), "val": slice(n_train, n_id), "ood": slice(n_id, None)}[
            split
        ]

    def true_codes(self, split: str) -> np.ndarray:
        """Return Z (sample, latent)."""
        rows = self.rows(split)
        return dense_codes(self.support[rows], self.magnitude[rows], self.cell.n_latents)

    def labels(self, split: str) -> np.ndarray:
        """Return the binary labels (sample,)."""
        rows = self.rows(split)
        return labels(self.support[rows], self.magnitude[rows])

    def tensor(self, split: str, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return observations (1, sample, obs)."""
        return torch.from_numpy(self.observations[self.rows(split)]).to(dtype)[None]

    def dictionary_tensor(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return A (1, obs, latent)."""
        return torch.from_numpy(self.dictionary).to(dtype)[None]


@cache
def draw(n_latents: int, n_samples: int = 5000, seed: int = 0) -> Drawn:
    """Draw a cell of the sweeps over n, with k = 10; n = 100 has m = 47, n = 1000 has 93."""
    cell = Cell(n_latents, K, compressed_sensing_dim(n_latents, K), n_samples)
    stream = np.random.RandomState(seed)
    dictionary = draw_dictionary(cell, stream)
    support, magnitude = draw_codes(cell, cell.n_samples, cell.n_ood, stream)
    observations = observe(dictionary, support, magnitude)
    return Drawn(cell, dictionary, support, magnitude, observations)


def near(dictionary: np.ndarray, cosine: float, seed: int = 0) -> np.ndarray:
    """Return unit columns whose cosine to those of (obs, atom) is `cosine` on average."""
    noise = np.random.default_rng(seed).standard_normal(dictionary.shape)
    noise *= np.sqrt((cosine**-2 - 1) / len(dictionary))
    moved = dictionary + noise
    return moved / np.linalg.norm(moved, axis=0)
