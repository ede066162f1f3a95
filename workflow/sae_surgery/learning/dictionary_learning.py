"""Dictionary learning: the lasso for the codes and least squares for the dictionary, in turn.

Source of the dictionary's update: Engan, Aase and Husøy, Method of optimal directions for frame
design, ICASSP 1999; of its settings: Barin Pacela et al., arXiv 2603.28744.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from sae_surgery.checks import (
    require_count,
    require_increasing,
    require_match,
    require_non_negative,
    require_positive,
    require_positive_integer,
)
from sae_surgery.inference.columns import NORM_FLOOR, random_columns, unit_columns
from sae_surgery.inference.layout import pad_dictionary, pad_observations
from sae_surgery.inference.solver import LassoSettings, infer
from sae_surgery.progress import Tracker, silent

ROUNDS_OF_CODING = 3
"""Rounds' worth of iterations that bring codes inferred in one go as close to the optimum as those
that are carried along from round to round: at n = 50, MCC no longer changes by 1e-5."""


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
    record_every: int = 10
    """A fitted model holds the dictionaries after rounds 0, this, twice this, … and the last."""
    solver: str = "fista"
    """What infers the codes of a round: `fista`, or `exact` for the minimum itself, …"""
    code_tolerance: float = 1e-6
    """… to this duality gap, relative to the objective."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        require_non_negative(tolerance=self.tolerance)
        require_positive(ridge=self.ridge)
        require_positive_integer(
            n_iter=self.n_iter, max_rounds=self.max_rounds, record_every=self.record_every
        )
        require_count(min_rounds=self.min_rounds)
        self.coding()  # Checks the settings that it takes.

    def coding(self) -> LassoSettings:
        """Return the settings of a round's inference of codes."""
        return LassoSettings(self.lam, self.n_iter, self.solver, self.code_tolerance)


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
    budgets = (settings.max_rounds,)
    (result,) = learning_trajectory(observations, initial, settings, budgets, progress)
    return result


@torch.no_grad()
def learning_trajectory(
    observations: Tensor,
    initial: Tensor,
    settings: DictionaryLearning,
    budgets: Sequence[int],
    progress: Tracker = silent,
) -> Iterator[LearnedDictionary]:
    """Learn as `learn_dictionary` does, once, and tell what it would return for several budgets.

    Parameters
    ----------
    budgets
        Numbers of rounds, increasing, that take the place of `settings.max_rounds`.

    Yields
    ------
    The bits of `learn_dictionary` with each budget. Before the first round, at a budget of 0,
    dictionary and coding dictionary are D_0, and codes are inferred with it from zero. A seed that
    has converged within a budget stays as it is in all larger ones. The other arguments are those
    of `learn_dictionary`.

    Raises
    ------
    ValueError
        If the shapes do not go together, or the budgets do not increase to at least 1.
    """
    require_match(observations, initial)
    require_increasing(budgets=budgets)
    require_positive_integer(last_budget=budgets[-1])
    shapes = observations.shape, initial.shape
    n_seeds = len(observations)
    observations, initial = pad_observations(observations), pad_dictionary(initial)
    codes = observations.new_zeros(*observations.shape[:2], initial.shape[2])
    state = LearnedDictionary(
        dictionary=initial.clone(),
        coding_dictionary=initial.clone(),
        codes=torch.empty_like(codes),
        n_rounds=torch.zeros(n_seeds, dtype=torch.int64, device=observations.device),
        change=observations.new_full((n_seeds, budgets[-1]), torch.nan),
    )
    learning = torch.arange(n_seeds, device=observations.device)
    dictionary = initial
    for count in progress(range(budgets[-1]), "dictionary learning"):
        previous = dictionary
        codes = infer(observations, previous, settings.coding(), start=codes).codes
        state.codes[learning] = codes
        if count == budgets[0] == 0:
            yield _copy(state, *shapes)
        dictionary = fit_dictionary(observations, codes, settings.ridge)
        change = _relative_change(dictionary, previous)
        state.dictionary[learning] = dictionary
        state.coding_dictionary[learning] = previous
        state.change[learning, count] = change
        state.n_rounds[learning] = count + 1
        if count + 1 in budgets:
            yield _copy(state, *shapes)
        goes_on = ~((change < settings.tolerance) & (count > settings.min_rounds))
        if goes_on.all():
            continue
        if not goes_on.any():
            break
        learning, observations = learning[goes_on], observations[goes_on]
        dictionary, codes = dictionary[goes_on], codes[goes_on]
    for _ in (budget for budget in budgets if budget > count + 1):
        yield _copy(state, *shapes)


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


def _copy(
    state: LearnedDictionary, observations: Sequence[int], dictionary: Sequence[int]
) -> LearnedDictionary:
    """Copy what has been learned without its padding, given the shapes of what it is learned from.

    Changes end with the last round that a seed has learned in.
    """
    (_, n_samples, obs_dim), n_atoms = observations, dictionary[2]
    parts = LearnedDictionary(
        dictionary=state.dictionary[:, :obs_dim, :n_atoms],
        coding_dictionary=state.coding_dictionary[:, :obs_dim, :n_atoms],
        codes=state.codes[:, :n_samples, :n_atoms],
        n_rounds=state.n_rounds,
        change=state.change[:, : int(state.n_rounds.max())],
    )
    return LearnedDictionary(*(x.clone(memory_format=torch.contiguous_format) for x in parts))
