"""Solved codes of observations under a dictionary, all without dense arrays of codes."""

import numpy as np
import torch

from sae_surgery.examination._references import SMALLEST_NORM
from sae_surgery.examination.base import tensor
from sae_surgery.inference.gradient_pursuit import gradient_pursuit
from sae_surgery.inference.matched import lasso_at_l0
from sae_surgery.inference.omp import omp
from sae_surgery.inference.refit_sparse import refit_by_gradient, refit_sparse
from sae_surgery.inference.sparse import SparseCodes

GRADIENT_STEPS = 100
"""Steps of projected gradient."""


def pursue(
    observations: np.ndarray,
    dictionary: np.ndarray,
    k: int | np.ndarray,
    signed: bool = False,
    swaps: int = 0,
) -> SparseCodes:
    """Return codes by orthogonal matching pursuit, k one number or one a sample."""
    wanted = torch.from_numpy(k.astype(np.int64)) if isinstance(k, np.ndarray) else int(k)
    return omp(tensor(observations), tensor(dictionary), wanted, not signed, swaps)


def pursue_by_gradient(
    observations: np.ndarray, dictionary: np.ndarray, k: np.ndarray
) -> SparseCodes:
    """Return codes by gradient pursuit, k one a sample."""
    wanted = torch.from_numpy(k.astype(np.int64))
    return gradient_pursuit(tensor(observations), tensor(dictionary), wanted)


def solve_lasso(
    observations: np.ndarray, dictionary: np.ndarray, l0: float, signed: bool = False
) -> tuple[float, SparseCodes]:
    """Return λ and the exact lasso's codes at a mean L0, the penalty being on z_j ‖d_j‖.

    Raises
    ------
    ValueError
        If no λ gives codes of that L0.
    """
    (unit,), lengths = on_unit_atoms(dictionary), norms(dictionary)
    lam, codes = lasso_at_l0(tensor(observations), tensor(unit), l0, non_negative=not signed)
    return lam, _scaled(codes, 1 / lengths)


def on_unit_atoms(dictionary: np.ndarray, *codes: SparseCodes) -> tuple:
    """Return a dictionary (obs, atom) with atoms of unit length, and codes with respect to it."""
    lengths = norms(dictionary)
    unit = (dictionary / lengths).astype(np.float32)
    return (unit, *(_scaled(each, lengths) for each in codes))


def norms(dictionary: np.ndarray) -> np.ndarray:
    """Return the norms of atoms (atom,), none smaller than what can be divided by."""
    return np.maximum(np.linalg.norm(dictionary, axis=0), SMALLEST_NORM)


def _scaled(codes: SparseCodes, factors: np.ndarray) -> SparseCodes:
    """Return codes with those of each atom multiplied by its factor (atom,)."""
    values = codes.values * torch.from_numpy(factors).double()[codes.atoms]
    return SparseCodes(codes.counts, codes.atoms, values, codes.n_atoms)


def refit(
    observations: np.ndarray, dictionary: np.ndarray, codes: SparseCodes, signed: bool = False
) -> SparseCodes:
    """Return the best codes on the same support, not negative unless `signed`."""
    return refit_sparse(tensor(observations), tensor(dictionary), codes, non_negative=not signed)


def refit_with_gradient(
    observations: np.ndarray, dictionary: np.ndarray, codes: SparseCodes
) -> SparseCodes:
    """Return codes on the same support after `GRADIENT_STEPS` of projected gradient."""
    return refit_by_gradient(tensor(observations), tensor(dictionary), codes, GRADIENT_STEPS)
