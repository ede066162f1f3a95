"""Dictionary learning: the lasso for the codes and least squares for the dictionary, in turn.

Source of the dictionary's update: Engan, Aase and Husøy, Method of optimal directions for frame
design, ICASSP 1999; of its settings: Barin Pacela et al., arXiv 2603.28744.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sae_surgery.checks import (
    require_count,
    require_increasing,
    require_match,
    require_non_negative,
    require_positive,
    require_positive_integer,
    require_split,
)
from sae_surgery.inference.columns import NORM_FLOOR, random_columns, unit_columns
from sae_surgery.inference.layout import pad_dictionary, pad_observations
from sae_surgery.inference.solver import LassoSettings, infer
from sae_surgery.machine.checkpoints import NONE, Checkpoint
from sae_surgery.machine.divergence import Divergence
from sae_surgery.machine.progress import Tracker, silent

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
    learns_from: str = "val"
    """Split learned from: `val`, which is also scored, as published, or `train`."""
    revive: bool = False
    """Whether an atom that no code uses is replaced after a round; as published it stays zero."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        require_non_negative(tolerance=self.tolerance)
        require_positive(ridge=self.ridge)
        require_positive_integer(
            n_iter=self.n_iter, max_rounds=self.max_rounds, record_every=self.record_every
        )
        require_count(min_rounds=self.min_rounds)
        require_split(self.learns_from)
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
    non_negative: bool = True,
) -> LearnedDictionary:
    """Learn a dictionary for each seed.

    A round infers codes, starting from those of the round before, and then fits the dictionary to
    them. A seed that has converged leaves the batch.

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
    non_negative
        Whether codes are kept at or above zero.

    Raises
    ------
    ValueError
        If the shapes do not go together.
    """
    budgets = (settings.max_rounds,)
    trajectory = learning_trajectory(
        observations, initial, settings, budgets, progress, non_negative=non_negative
    )
    ((_, result),) = trajectory
    return result


@torch.no_grad()
def learning_trajectory(
    observations: Tensor,
    initial: Tensor,
    settings: DictionaryLearning,
    budgets: Sequence[int],
    progress: Tracker = silent,
    checkpoint: Checkpoint = NONE,
    divergence: Divergence | None = None,
    non_negative: bool = True,
) -> Iterator[tuple[int, LearnedDictionary]]:
    """Learn as `learn_dictionary` does, once, and tell what it would return for several budgets.

    Parameters
    ----------
    budgets
        Numbers of rounds, increasing, that take the place of `settings.max_rounds`.
    checkpoint
        Saves what is learned between rounds. A run that goes on does not yield again what was
        yielded before the checkpoint; let it keep what you have made of that.
    divergence
        Is told of seeds that diverge. They leave the batch, and are zero in what is yielded.

    Yields
    ------
    A budget, and the bits of `learn_dictionary` with it. Before the first round, at a budget of 0,
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
    rounds = _Rounds(observations, initial, settings, budgets[-1], non_negative)
    divergence = Divergence() if divergence is None else divergence
    steps = checkpoint.steps(budgets[-1], rounds, divergence)
    for count in progress(steps, "dictionary learning"):
        rounds.infer()
        if count == budgets[0] == 0:
            yield 0, rounds.result()
        change = rounds.fit(count)
        for seed in rounds.clear(~change.isfinite()):
            divergence.note(seed, f"at round {count}")
        if count + 1 in budgets:
            yield count + 1, rounds.result()
        converged = (change < settings.tolerance) & (count > settings.min_rounds)
        rounds.keep(change.isfinite() & ~converged)
        if rounds.ended():
            break
    for budget in budgets:
        if budget > count + 1:
            yield budget, rounds.result()


class _Rounds:
    """The seeds that still learn, and what has come of all so far; arrays are padded."""

    def __init__(
        self,
        observations: Tensor,
        initial: Tensor,
        settings: DictionaryLearning,
        max_rounds: int,
        non_negative: bool,
    ) -> None:
        self.settings, self.non_negative = settings, non_negative
        self.shapes = observations.shape, initial.shape
        self.observations, self.dictionary = pad_observations(observations), pad_dictionary(initial)
        n_seeds, n_samples = self.observations.shape[:2]
        self.codes = observations.new_zeros(n_seeds, n_samples, self.dictionary.shape[2])
        self.learning = torch.arange(n_seeds, device=observations.device)
        self.state = LearnedDictionary(
            dictionary=self.dictionary.clone(),
            coding_dictionary=self.dictionary.clone(),
            codes=torch.empty_like(self.codes),
            n_rounds=torch.zeros(n_seeds, dtype=torch.int64, device=observations.device),
            change=observations.new_full((n_seeds, max_rounds), torch.nan),
        )

    def infer(self) -> None:
        """Infer the codes of a round."""
        coding = self.settings.coding()
        self.codes = infer(
            self.observations, self.dictionary, coding, self.codes, self.non_negative
        ).codes
        self.state.codes[self.learning] = self.codes

    def fit(self, count: int) -> Tensor:
        """Fit the dictionary to the codes in round `count`, from 0; return its change (seed,)."""
        previous = self.dictionary
        self.dictionary = fit_dictionary(self.observations, self.codes, self.settings.ridge)
        if self.settings.revive:
            n_samples, n_atoms = self.shapes[0][1], self.shapes[1][2]
            revive_atoms(
                self.observations[:, :n_samples],
                self.codes[:, :n_samples, :n_atoms],
                self.dictionary[..., :n_atoms],
            )
        change = _relative_change(self.dictionary, previous)
        self.state.dictionary[self.learning] = self.dictionary
        self.state.coding_dictionary[self.learning] = previous
        self.state.change[self.learning, count] = change
        self.state.n_rounds[self.learning] = count + 1
        return change

    def clear(self, lost: Tensor) -> list[int]:
        """Set what seeds have learned to zero, given which of those that learn, (seed,).

        Returns
        -------
        Their indices.
        """
        seeds = self.learning[lost]
        for part in (self.state.dictionary, self.state.coding_dictionary, self.state.codes):
            part[seeds] = 0
        return seeds.tolist()

    def keep(self, goes_on: Tensor) -> None:
        """Let the other seeds leave, given which of those that learn go on (seed,)."""
        if not goes_on.all():
            self.learning, self.observations = self.learning[goes_on], self.observations[goes_on]
            self.dictionary, self.codes = self.dictionary[goes_on], self.codes[goes_on]

    def ended(self) -> bool:
        """Return whether no seed still learns."""
        return len(self.learning) == 0

    def result(self) -> LearnedDictionary:
        """Return a copy of what has been learned."""
        return _copy(self.state, *self.shapes)

    def state_dict(self) -> dict[str, Any]:
        """Return what rounds change.

        The dictionary of the seeds that learn is saved beside the result as it lies in memory: its
        strides can decide the last bits of a product. Codes are always contiguous.
        """
        state = self.state._asdict()
        return {"learning": self.learning, "dictionary": self.dictionary, "state": state}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` has told, before the first round."""
        self.learning = state_dict["learning"]
        self.observations = self.observations[self.learning]
        self.dictionary = state_dict["dictionary"]
        self.state = LearnedDictionary(**state_dict["state"])
        self.codes = self.state.codes[self.learning]


def fit_dictionary(observations: Tensor, codes: Tensor, ridge: float) -> Tensor:
    """Return Yᵀ Z (Zᵀ Z + ε I)⁻¹ with its columns normalised, (seed, obs, atom).

    The system is solved in the precision of the codes, as published. Where atoms are used alike, ε
    can vanish in rounding and leave a singular matrix; such a seed is solved in double precision,
    and is NaN where that does not help.
    """
    gram = torch.bmm(codes.mT, codes)
    gram.diagonal(dim1=1, dim2=2).add_(ridge)
    target = torch.bmm(codes.mT, observations)
    # One seed at a time: on several threads PyTorch 2.13 fails on a stack of large systems.
    solved = [torch.linalg.solve_ex(*system) for system in zip(gram, target, strict=True)]
    solution = torch.stack([each for each, _ in solved])
    for seed in (seed for seed, (_, singular) in enumerate(solved) if singular):
        exact = codes[seed].double()
        gram = exact.mT @ exact
        gram.diagonal().add_(ridge)
        precise, singular = torch.linalg.solve_ex(gram, exact.mT @ observations[seed].double())
        solution[seed] = torch.nan if singular else precise
    return unit_columns(solution.mT)


def revive_atoms(observations: Tensor, codes: Tensor, dictionary: Tensor) -> None:
    """Point atoms that no code uses, in place, at the samples that are explained worst.

    An atom takes the direction of a residual y − D z, from the longest one on; where there are more
    such atoms than samples, the others stay as they are.

    Parameters
    ----------
    observations
        Y (seed, sample, obs).
    codes
        Z (seed, sample, atom).
    dictionary
        D (seed, obs, atom).
    """
    unused = ~codes.any(1)
    for seed in torch.nonzero(unused.any(1))[:, 0].tolist():
        residuals = observations[seed] - codes[seed] @ dictionary[seed].mT
        lengths = torch.linalg.vector_norm(residuals, dim=1)
        atoms = torch.nonzero(unused[seed])[: len(residuals), 0]
        worst = lengths.topk(len(atoms)).indices
        directions = residuals[worst] / lengths[worst, None].clamp_min(NORM_FLOOR)
        dictionary[seed, :, atoms] = directions.mT


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
