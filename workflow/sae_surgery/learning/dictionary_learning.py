"""Dictionary learning: FISTA for the codes and least squares for the dictionary, in turn.

Source of the dictionary's update: Engan, Aase and Husøy, Method of optimal directions for frame
design, ICASSP 1999; of its settings: Barin Pacela et al., arXiv 2603.28744.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from sae_surgery.checks import (
    require_count,
    require_match,
    require_non_negative,
    require_positive,
    require_positive_integer,
)
from sae_surgery.inference.columns import NORM_FLOOR, random_columns, unit_columns
from sae_surgery.inference.fista import fista
from sae_surgery.inference.layout import pad_dictionary, pad_observations
from sae_surgery.progress import Tracker, silent


@dataclass(frozen=True)
class DictionaryLearning:
    """Settings of dictionary learning; the defaults are the paper's.

    Raises
    ------
    ValueError
        If a value is out of range.
    """

    lam: float = 0.1
    """λ, weight of the codes' l1 norm."""
    n_iter: int = 100
    """Iterations of FISTA in a round."""
    max_rounds: int = 1000
    """Rounds after which learning ends."""
    tolerance: float = 1e-5
    """A seed stops when ‖D − D_old‖ / ‖D_old‖ falls below this …"""
    min_rounds: int = 10
    """… in a round whose number, from 0, is above this."""
    ridge: float = 1e-6
    """ε of the dictionary's update Yᵀ Z (Zᵀ Z + ε I)⁻¹."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        require_non_negative(lam=self.lam, tolerance=self.tolerance)
        require_positive(ridge=self.ridge)
        require_positive_integer(n_iter=self.n_iter, max_rounds=self.max_rounds)
        require_count(min_rounds=self.min_rounds)


class LearnedDictionary(NamedTuple):
    """What dictionary learning returns, all seeds stacked; T is a seed's number of rounds."""

    dictionary: Tensor
    """D_T (seed, obs, atom), unit columns but for dead atoms, which are zero"""
    coding_dictionary: Tensor
    """D_{T−1} (seed, obs, atom), which made the codes"""
    codes: Tensor
    """Z (seed, sample, atom), inferred before the last update of the dictionary"""
    n_rounds: Tensor
    """T (seed,)"""
    change: Tensor
    """‖D_t − D_{t−1}‖ / ‖D_{t−1}‖ (seed, round), Frobenius norms; NaN after a seed has stopped"""


@torch.no_grad()
def learn_dictionary(
    observations: Tensor,
    initial: Tensor,
    settings: DictionaryLearning,
    progress: Tracker = silent,
) -> LearnedDictionary:
    """Learn a dictionary for each seed.

    A round infers non-negative codes, starting from those of the round before, and then fits the
    dictionary to them. A seed that has converged leaves the batch.

    Parameters
    ----------
    observations
        Y (seed, sample, obs).
    initial
        D_0 (seed, obs, atom).
    settings
        See `DictionaryLearning`.
    progress
        Wraps the loop over rounds.

    Raises
    ------
    ValueError
        If the shapes do not go together.
    """
    require_match(observations, initial)
    (n_seeds, n_samples, obs_dim), n_atoms = observations.shape, initial.shape[2]
    observations, initial = pad_observations(observations), pad_dictionary(initial)
    codes = observations.new_zeros(*observations.shape[:2], initial.shape[2])
    change = observations.new_full((n_seeds, settings.max_rounds), torch.nan)
    result = LearnedDictionary(
        dictionary=torch.empty_like(initial),
        coding_dictionary=torch.empty_like(initial),
        codes=torch.empty_like(codes),
        n_rounds=torch.zeros(n_seeds, dtype=torch.int64, device=observations.device),
        change=change,
    )
    learning = torch.arange(n_seeds, device=observations.device)
    dictionary = initial
    for count in progress(range(settings.max_rounds), "dictionary learning"):
        previous = dictionary
        codes = fista(observations, previous, settings.lam, settings.n_iter, start=codes)
        dictionary = fit_dictionary(observations, codes, settings.ridge)
        change[learning, count] = _relative_change(dictionary, previous)
        converged = (change[learning, count] < settings.tolerance) & (count > settings.min_rounds)
        stops = converged | (count + 1 == settings.max_rounds)
        if not stops.any():
            continue
        stopped = learning[stops]
        result.dictionary[stopped] = dictionary[stops]
        result.coding_dictionary[stopped] = previous[stops]
        result.codes[stopped] = codes[stops]
        result.n_rounds[stopped] = count + 1
        learning, observations = learning[~stops], observations[~stops]
        dictionary, codes = dictionary[~stops], codes[~stops]
        if stops.all():
            break
    return LearnedDictionary(
        dictionary=result.dictionary[:, :obs_dim, :n_atoms].contiguous(),
        coding_dictionary=result.coding_dictionary[:, :obs_dim, :n_atoms].contiguous(),
        codes=result.codes[:, :n_samples, :n_atoms].contiguous(),
        n_rounds=result.n_rounds,
        change=change[:, : int(result.n_rounds.max())].contiguous(),
    )


def fit_dictionary(observations: Tensor, codes: Tensor, ridge: float) -> Tensor:
    """Return Yᵀ Z (Zᵀ Z + ε I)⁻¹ with its columns normalised, (seed, obs, atom).

    The system is solved in the precision of the codes, as published. Where atoms are used alike, ε
    can vanish in rounding and leave a singular matrix; such a seed is solved in double precision.
    """
    gram = torch.bmm(codes.mT, codes)
    gram.diagonal(dim1=1, dim2=2).add_(ridge)
    target = torch.bmm(codes.mT, observations)
    solution, info = torch.linalg.solve_ex(gram, target)
    for seed in info.nonzero()[:, 0]:
        exact = codes[seed].double()
        gram = exact.mT @ exact
        gram.diagonal().add_(ridge)
        solution[seed] = torch.linalg.solve(gram, exact.mT @ observations[seed].double())
    return unit_columns(solution.mT)


def random_dictionary(obs_dim: int, n_atoms: int, seeds: Sequence[int]) -> Tensor:
    """Draw gaussian dictionaries (seed, obs, atom) with unit columns, on the CPU.

    Each seed draws from a generator of its own, whatever other seeds are asked for.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return torch.stack([random_columns(obs_dim, n_atoms, drawn) for drawn in generators])


def _relative_change(dictionary: Tensor, previous: Tensor) -> Tensor:
    """Return ‖D − D_old‖ / ‖D_old‖ (seed,), each seed's norms taken by themselves."""
    norm = torch.linalg.matrix_norm
    pairs = zip(dictionary, previous, strict=True)
    return torch.stack([norm(new - old) / norm(old).clamp_min(NORM_FLOOR) for new, old in pairs])
