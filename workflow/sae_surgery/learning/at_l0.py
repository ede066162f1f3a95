"""A dictionary for a matrix of activations, with a wanted number of codes for each of them."""

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from sae_surgery.checks import require_count, require_positive, require_positive_integer
from sae_surgery.inference.exact import exact_lasso
from sae_surgery.learning.code_sums import remainder
from sae_surgery.learning.dictionary_learning import random_dictionary
from sae_surgery.learning.incremental import (
    IncrementalLearning,
    learn_incrementally,
    report_misses,
)
from sae_surgery.machine.progress import Tracker, silent

CODE_TOLERANCE = 1e-4
"""Relative duality gap of the codes that L0 and explained variance are told of."""


class Learned(NamedTuple):
    """What `learn_at_l0` returns."""

    dictionary: Tensor
    """D (obs, atom), unit columns"""
    lam: float
    """λ of the lasso, in units of the observations"""
    converged: bool
    """Whether it had come to rest; if not, standard error says so, too"""
    rounds: int
    """Passes over the samples"""
    l0: float
    """Mean number of codes that are not zero at this λ"""
    explained_variance: float
    """1 − Σ‖y − D z‖² / Σ‖y − ȳ‖² of the lasso's codes, as they are"""


@torch.no_grad()
def learn_at_l0(
    observations: Tensor,
    n_atoms: int,
    l0: float,
    seed: int,
    start: Tensor | None = None,
    max_rounds: int = 200,
    progress: Tracker = silent,
) -> Learned:
    """Learn a dictionary whose non-negative exact codes have a mean L0 near the wanted one.

    Parameters
    ----------
    observations
        Y (sample, obs), single precision, as the atoms are to explain them: without a bias.
    n_atoms
        How many atoms.
    l0
        Mean number of codes of a sample that are not zero, below the number of atoms.
    seed
        Of all random numbers.
    start
        Dictionary to begin with (obs, atom); random if not given.
    max_rounds
        Passes over the samples after which it ends as not converged.
    progress
        Wraps the loop over rounds.

    Raises
    ------
    ValueError
        If a number is out of range, shapes do not go together, or the start has a zero column.
    """
    require_positive(l0=l0)
    require_positive_integer(n_atoms=n_atoms, max_rounds=max_rounds)
    require_count(seed=seed)
    if not l0 < n_atoms:
        raise ValueError(f"l0 must be below the number of atoms, {n_atoms}, got {l0!r}")
    start = (
        random_dictionary(observations.shape[1], n_atoms, (seed,))[0] if start is None else start
    )
    if tuple(start.shape) != (observations.shape[1], n_atoms):
        wanted = observations.shape[1], n_atoms
        raise ValueError(f"start must have shape (obs, atom) {wanted}, got {tuple(start.shape)}")
    lengths = torch.linalg.vector_norm(start, dim=0)
    if not ((lengths > 0) & lengths.isfinite()).all():
        raise ValueError("columns of start must be finite and not zero")
    settings = replace(IncrementalLearning(), l0=float(l0), max_rounds=max_rounds)
    start = (start / lengths).to(observations)[None]
    run = learn_incrementally(observations[None], start, (seed,), settings, (max_rounds,), progress)
    *_, (_, result) = run
    report_misses(result, (seed,))
    return _told(observations, result.dictionary[0], float(result.penalty[0]), result)


def _told(observations: Tensor, dictionary: Tensor, lam: float, result: NamedTuple) -> Learned:
    codes = exact_lasso(observations[None], dictionary[None], lam, tolerance=CODE_TOLERANCE)
    left = remainder(observations, dictionary.T.contiguous(), codes).double().square().sum()
    variance = (observations - observations.mean(0)).double().square().sum()
    return Learned(
        dictionary=dictionary,
        lam=lam,
        converged=bool(result.converged[0]),
        rounds=int(result.n_rounds[0]),
        l0=float(codes.counts.double().mean()),
        explained_variance=1 - float(left / variance),
    )
