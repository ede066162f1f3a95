"""Where an atom would help most: directions to begin atoms anew with.

An atom d that joins the others lowers the objective of a sample with residual r by at least

    ½ (dᵀr − λ)₊²,

for all other codes may stay as they are. Atoms that are there gain nothing: at the optimum dᵀr ≤ λ.
So the sum over samples, the gain, finds what the dictionary lacks, and no remnant of shrinkage.
"""

import numpy as np
import torch
from torch import Tensor

N_CANDIDATES = 16
"""Residuals whose directions are compared, an atom."""

N_ASCENTS = 3
"""Steps from the best of them uphill."""


def fresh_atoms(
    residual: Tensor, penalty: float, n_atoms: int, draws: np.random.Generator
) -> Tensor:
    """Return unit directions (atom, obs), each of large gain given those before it.

    It is fewer than asked for if all residuals vanish. Steps uphill are those of the power method
    for a convex function on the sphere, which never descends (Journée, Nesterov, Richtárik and
    Sepulchre, JMLR 11, 2010).

    Parameters
    ----------
    residual
        r of each sample (sample, obs).
    penalty
        λ.
    n_atoms
        How many are wanted.
    draws
        Chooses candidates, with probabilities ∝ ‖r‖⁴.
    """
    residual, atoms = residual.clone(), []
    for _ in range(n_atoms):
        candidates = _candidates(residual, draws)
        if not len(candidates):
            break
        gains = _excess(residual, candidates.T, penalty).square_().sum(0)
        atom = candidates[gains.argmax()]
        for _ in range(N_ASCENTS):
            uphill = _excess(residual, atom, penalty) @ residual
            atom = uphill / uphill.norm() if uphill.any() else atom
        residual.addr_(_excess(residual, atom, penalty), atom, alpha=-1)
        atoms.append(atom)
    return torch.stack(atoms) if atoms else residual[:0]


def _candidates(residual: Tensor, draws: np.random.Generator) -> Tensor:
    lengths = residual.norm(dim=1)
    weights = lengths.double().pow(4).numpy()
    n_candidates = min(N_CANDIDATES, np.count_nonzero(weights))
    if not n_candidates:
        return residual[:0]
    chosen = draws.choice(len(weights), n_candidates, False, weights / weights.sum())
    return residual[chosen] / lengths[chosen, None]


def _excess(residual: Tensor, atoms: Tensor, penalty: float) -> Tensor:
    """Return (dᵀr − λ)₊ of samples and atoms."""
    return (residual @ atoms - penalty).clamp_(min=0)
