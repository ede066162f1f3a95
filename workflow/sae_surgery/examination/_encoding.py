"""A trained SAE's encoder in blocks of rows, so that dense codes never fill the memory."""

from collections.abc import Callable

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from sae_surgery.examination._codes import as_rows, from_rows
from sae_surgery.inference.sparse import SparseCodes
from sae_surgery.loaders.base import TrainedSae
from sae_surgery.machine.progress import Tracker, silent

DENSE_CODES = 2**25
"""Numbers in the dense codes of a block."""
MOST_ROWS = 8192
"""Rows of a block."""


def blocks(n_rows: int, n_atoms: int) -> list[slice]:
    """Return the rows of each block."""
    size = max(1, min(MOST_ROWS, DENSE_CODES // n_atoms))
    return [slice(start, start + size) for start in range(0, n_rows, size)]


class Encoder:
    """An SAE whose inputs, less its decoder's bias, are y."""

    def __init__(self, sae: TrainedSae) -> None:
        self.sae = sae

    def targets(self, activations: np.ndarray) -> np.ndarray:
        """Return y (row, obs) of activations (row, obs)."""
        parts = []
        for block in blocks(len(activations), self.sae.n_atoms):
            inputs, _ = self.sae.to_inputs(torch.from_numpy(activations[block]))
            parts.append((inputs - self.sae.decoder_bias).numpy())
        return np.concatenate(parts)

    def of_activations(self, activations: np.ndarray, track: Tracker = silent) -> SparseCodes:
        """Return the codes of activations (row, obs)."""
        return self._encode(activations, self.sae.encode, track)

    def of_targets(self, observations: np.ndarray) -> SparseCodes:
        """Return the codes of y (row, obs): of inputs that are not normalised once more."""

        def encode(y: Tensor) -> Tensor:
            return self.sae.coding.encode(y + self.sae.decoder_bias, self.sae.dictionary)

        return self._encode(observations, encode, silent)

    @torch.no_grad()
    def _encode(
        self, rows: np.ndarray, encode: Callable[[Tensor], Tensor], track: Tracker
    ) -> SparseCodes:
        parts = []
        for block in track(blocks(len(rows), self.sae.n_atoms), "encoding"):
            codes = encode(torch.from_numpy(rows[block]))
            parts.append(as_rows(SparseCodes.pack(codes[None])))
        return from_rows(sparse.csr_array(sparse.vstack(parts)))
