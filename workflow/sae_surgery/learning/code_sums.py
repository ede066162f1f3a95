"""What steps of the atoms need of sparse codes: sums of products, and remainders.

On the CPU these are compiled loops over the codes that are not zero; on a GPU, dense products.
"""

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from sae_surgery.inference.sparse import SparseCodes
from sae_surgery.learning.incremental_kernels import (
    add_products,
    find_uses,
    step_atoms,
    subtract_codes,
)
from sae_surgery.machine.threads import each

BLOCK_ATOMS = 64
"""Atoms whose gradients are one matrix product, corrected as they move."""

ROWS = 256
"""Atoms whose sums one thread adds up at a time."""

ENERGY_FLOOR = 1e-5
"""Atoms with less than this share of the mean energy stay where they are: rounding rules them."""


class CodeSums:
    """G = ZᵀZ (atom, atom) and T = ZᵀY (atom, obs): all that a step of the atoms has to know."""

    def __init__(self, rows: Tensor) -> None:
        self.gram, self.target = rows.new_zeros(len(rows), len(rows)), torch.zeros_like(rows)

    def add(self, sign: float, codes: SparseCodes, batch: Tensor) -> None:
        """Put the codes of a batch (sample, obs) in, or with the sign −1 take them out."""
        if _on_gpu(batch):
            dense = codes.dense(batch.dtype)[0]
            self.gram.addmm_(dense.T, dense, alpha=sign)
            self.target.addmm_(dense.T, batch, alpha=sign)
        else:
            counts, atoms, values = _entries(codes)
            uses = find_uses(counts, atoms, len(self.gram))
            # Half as large, more of them stay in the processor's cache.
            atoms, values = atoms.astype(np.int32), values.astype(np.float32)
            given = sign, uses, atoms, values, batch.numpy(), self.gram.numpy(), self.target.numpy()
            edges = pairwise([*range(0, len(self.gram), ROWS), len(self.gram)])
            each(lambda rows: add_products(*given, *rows), edges)

    def sweep(self, rows: Tensor, relaxation: float) -> None:
        """Step once with every atom (atom, obs) in turn, in place."""
        kind = np.float32
        floor = kind(ENERGY_FLOOR * float(self.gram.diagonal().mean()))
        for first in range(0, len(rows), BLOCK_ATOMS):
            block = slice(first, first + BLOCK_ATOMS)
            gradient = torch.addmm(self.target[block], self.gram[block], rows, alpha=-1).cpu()
            # One atom after the other is too little work at a time for a GPU.
            own, moving = self.gram[block, block].cpu(), rows[block].cpu()
            step_atoms(gradient.numpy(), own.numpy(), kind(relaxation), floor, moving.numpy())
            rows[block] = moving


def remainder(samples: Tensor, rows: Tensor, codes: SparseCodes) -> Tensor:
    """Return y − D z (sample, obs)."""
    if _on_gpu(samples):
        return samples - codes.dense(samples.dtype)[0] @ rows
    left = samples.clone()
    subtract_codes(*_entries(codes), rows.numpy(), left.numpy())
    return left


def _on_gpu(samples: Tensor) -> bool:
    return samples.is_cuda


def _entries(codes: SparseCodes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return codes.counts[0].numpy(), codes.atoms.numpy(), codes.values.numpy()
