"""How many iterations of FISTA an encoder is worth."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sae_surgery.examination._codes import pick
from sae_surgery.examination.base import tensor
from sae_surgery.inference.exact import exact_lasso
from sae_surgery.inference.fista import fista_snapshots
from sae_surgery.inference.sparse import SparseCodes

COUNTS = (0, 1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300)
MOST_SAMPLES = 256
DENSE_CODES = 2**22
"""Numbers in the codes after one of `COUNTS`; all are held."""
SMALLEST_NORM = 1e-8


@dataclass(frozen=True)
class Worth:
    """The mean objective after some iterations, over that of the minimum, less 1."""

    iterations: tuple[int, ...]
    cold: np.ndarray
    """From zero, (count,)."""
    warm: np.ndarray
    """From the encoder's codes, (count,)."""
    reached: int | None
    """The first of the counts at which FISTA from zero is below the encoder's codes."""


def iterations_worth(
    observations: np.ndarray,
    dictionary: np.ndarray,
    codes: SparseCodes,
    lam: float,
    signed: bool = False,
) -> Worth:
    """Run FISTA from zero and from the encoder's codes, on unit atoms, at one λ.

    Parameters
    ----------
    observations
        y (sample, obs), of which the first few hundred are used.
    dictionary
        D (obs, atom).
    codes
        The encoder's.
    lam
        λ of ½‖y − D z‖² + λ Σ z_j ‖d_j‖.
    signed
        Whether codes may be negative.
    """
    n_atoms = dictionary.shape[1]
    n_samples = max(1, min(len(observations), MOST_SAMPLES, DENSE_CODES // n_atoms))
    norms = np.maximum(np.linalg.norm(dictionary, axis=0), SMALLEST_NORM)
    y, unit = tensor(observations[:n_samples]), tensor((dictionary / norms).astype(np.float32))
    start = pick(codes, np.arange(n_samples)).dense(torch.float32) * tensor(norms).float()
    best = exact_lasso(y, unit, lam, non_negative=not signed)
    least = _objective(y, unit, best.dense(torch.float32), lam)
    excess = []
    for begin in (None, start):
        found = fista_snapshots(y, unit, lam, COUNTS, begin, non_negative=not signed)
        excess.append(np.array([_objective(y, unit, each, lam) / least - 1 for each in found]))
    cold, warm = excess
    below = np.flatnonzero(cold <= warm[0])
    return Worth(COUNTS, cold, warm, COUNTS[below[0]] if len(below) else None)


def _objective(y: Tensor, dictionary: Tensor, codes: Tensor, lam: float) -> float:
    residual = y - torch.bmm(codes, dictionary.mT)
    return float(residual.double().square().sum() / 2 + lam * codes.double().abs().sum())
