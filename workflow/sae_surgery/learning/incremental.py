"""Dictionary learning in small steps: sparse codes of a batch, and at once a better dictionary.

For observations y of unit mean square, with the unit columns of D as atoms, it descends on

    F(D) = Σ over samples of  min over z ≥ 0 of  ½‖y − D z‖² + λ‖z‖₁,

or over all z where codes may be negative.

Samples are cut into batches. Of each sample the last codes are kept, and of all samples the sums
G = ZᵀZ and T = ZᵀY. A batch gets new codes with the dictionary as it is, starting from those it
had; its share in G and T is exchanged; and every atom in turn moves to

    d_j ← normalised  d_j + ω (T_j − G_j Dᵀ) / G_jj,

which for ω = 1 is the best one for these codes, given the other atoms. With ω between 1 and 2 the
sweep over atoms is overrelaxed. F is at most the objective at the codes that are kept, so that
each batch lowers a bound of F, as each sample does that expectation maximisation takes by itself.
What is reached after a pass would otherwise take as many passes as there are batches.

Two measures against bad minima. λ begins large and falls: at first few atoms explain a sample, and
pull. And atoms that hardly any sample shares, or that a few others make up (see `redundancy`),
begin anew where samples have something in common that the others do not explain (see
`fresh_atoms`): they may stand for single samples, double others, or be the sums of latents that
occur together. With few samples this search decides: the minima that it leaves are those in which
half of the atoms have each learned one sample by heart.

Where one latent accompanies many others, F can be lower with atoms that have absorbed a bit of it,
and one opposite to it that mends them where it is absent. The opposite atom is redundant, but what
takes its place may become another. So the search ends when it no longer lowers the objective. What
is there then settles, and is told as `n_useless`.

λ, in units of the root mean square of the entries of Y, is the only thing that says how sparse
codes are: a random direction correlates with an observation by about that much.

Sources: updates of atoms and their sums, Mairal, Bach, Ponce and Sapiro, Online learning for matrix
factorization and sparse coding, JMLR 11 (2010); exchanging a sample's share, Neal and Hinton, A
view of the EM algorithm that justifies incremental, sparse, and other variants (1998), and Mairal,
Incremental majorization-minimization optimization, SIAM J. Optimization 25 (2015); overrelaxation,
Young (1954); replacement of atoms that are too like others, Pali and Schnass, arXiv 1804.07101.
"""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sae_surgery.checks import (
    require_between,
    require_count,
    require_increasing,
    require_match,
    require_positive,
    require_positive_integer,
)
from sae_surgery.inference.exact import exact_lasso
from sae_surgery.inference.sparse import SparseCodes
from sae_surgery.learning.code_sums import CodeSums, remainder
from sae_surgery.learning.fresh_atoms import fresh_atoms
from sae_surgery.learning.redundancy import redundancy_limit, useless_atoms
from sae_surgery.machine.checkpoints import NONE, Checkpoint
from sae_surgery.machine.divergence import Divergence
from sae_surgery.machine.progress import Tracker, silent

MAX_LOOKS = 20
"""How often a sample's correlations with all atoms are looked at in a round, at most."""

PATIENCE = 3
"""Looks that have to lower the objective together, or the search ends."""

MAX_COMPARED = 4096
"""Samples that are compared with each other, at most, to find what they share.

At n = 10 000 and k = 10 two of them use a rare latent on average: not every look can find it."""


PENALTIES = 1e-20, 1e20
"""Bounds of λ, in units of the data: in theirs, the exact solver takes it still."""


@dataclass(frozen=True)
class IncrementalLearning:
    """Settings of incremental dictionary learning.

    Raises
    ------
    ValueError
        If a value is out of range.
    """

    first_penalty: float = 1.2
    """λ of the first round, in units of the root mean square of the entries of Y."""
    last_penalty: float = 0.2
    """λ in the end, and of the codes, in these units."""
    anneal_rounds: int = 30
    """Rounds in which λ falls from the one to the other, by the same factor each."""
    n_batches: int = 10
    """Batches of a round."""
    relaxation: float = 1.5
    """ω, above 0 and below 2."""
    replace_every: int = 5
    """Rounds between looks for atoms to replace."""
    search_gain: float = 1e-3
    """The search ends when looks have not lowered the objective by this share of it; what is there
    then, settles."""
    replace_rounds: int = 160
    """The last round that may begin with a look."""
    max_rounds: int = 200
    """Rounds after which a seed is given up as not converged."""
    tolerance: float = 1e-3
    """A seed has converged when λ has fallen, no atom is replaced any more, and a round has
    ‖D − D_old‖ / ‖D_old‖ below this."""
    record_every: int = 10
    """A fitted model holds the dictionaries after rounds 0, this, twice this, … and the last."""
    code_tolerance: float = 1e-2
    """Relative duality gap of the codes in a round."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        penalties = {"first_penalty": self.first_penalty, "last_penalty": self.last_penalty}
        require_positive(
            **penalties,
            relaxation=self.relaxation,
            tolerance=self.tolerance,
            code_tolerance=self.code_tolerance,
            search_gain=self.search_gain,
        )
        require_between(*PENALTIES, **penalties)
        require_positive_integer(
            n_batches=self.n_batches,
            replace_every=self.replace_every,
            max_rounds=self.max_rounds,
            record_every=self.record_every,
        )
        require_count(anneal_rounds=self.anneal_rounds, replace_rounds=self.replace_rounds)
        if self.relaxation >= 2:
            raise ValueError(f"relaxation must be below 2, got {self.relaxation!r}")

    def penalty(self, count: int) -> float:
        """Return λ of a round, counted from 0."""
        share = min(1.0, count / max(1, self.anneal_rounds))
        return self.first_penalty ** (1 - share) * self.last_penalty**share

    def looks(self, count: int) -> bool:
        """Return whether a round, counted from 0, begins with a look for atoms to replace."""
        return 0 < count <= self.replace_rounds and count % self.replace_every == 0

    def settles(self, count: int, n_replaced: int) -> bool:
        """Return whether nothing but small steps is left after a round, counted from 0.

        `n_replaced` atoms were replaced at the last look.
        """
        searched = n_replaced == 0 or count >= self.replace_rounds
        return searched and count >= self.anneal_rounds

    def exhausted(self, objectives: Sequence[float]) -> bool:
        """Return whether looks no longer pay, given the objective at each of them.

        While λ falls, the objective does anyway.
        """
        late = objectives[self.anneal_rounds // self.replace_every :]
        return len(late) > PATIENCE and late[-1] > (1 - self.search_gain) * late[-1 - PATIENCE]


class IncrementalDictionary(NamedTuple):
    """What incremental learning returns, all seeds stacked; T is a seed's number of rounds."""

    dictionary: Tensor
    """D (seed, obs, atom), unit columns"""
    penalty: Tensor
    """λ of the codes, in units of the observations (seed,)"""
    n_rounds: Tensor
    """T (seed,)"""
    converged: Tensor
    """Whether the dictionary had come to rest, (seed,)"""
    determined: Tensor
    """Whether the observations are more numbers than codes and atoms have, (seed,)"""
    change: Tensor
    """‖D_t − D_{t−1}‖ / ‖D_{t−1}‖ (seed, round), Frobenius norms; NaN after a seed has stopped"""
    usage: Tensor
    """Share of the samples that use an atom (seed, atom)"""
    n_useless: Tensor
    """Atoms that are hardly any sample's, or made of a few others; latents may be missing in their
    place (seed,)"""


@torch.no_grad()
def learn_incrementally(
    observations: Tensor,
    initial: Tensor,
    seeds: Sequence[int],
    settings: IncrementalLearning,
    budgets: Sequence[int],
    progress: Tracker = silent,
    checkpoint: Checkpoint = NONE,
    divergence: Divergence | None = None,
    non_negative: bool = True,
) -> Iterator[tuple[int, IncrementalDictionary]]:
    """Learn a dictionary for each seed, and tell what has come after some rounds.

    Parameters
    ----------
    observations
        Y (seed, sample, obs), single precision.
    initial
        Dictionary to begin with (seed, obs, atom), random unit columns.
    seeds
        Of the random numbers that cut batches and choose samples.
    settings
        See `IncrementalLearning`.
    budgets
        Numbers of rounds, increasing; learning ends after the last, whatever `max_rounds`.
    progress
        Wraps the loop over rounds.
    checkpoint
        Saves what is learned between rounds; a run that goes on does not yield again.
    divergence
        Is told of seeds that diverge. They end with that round, and keep what they had before it.
    non_negative
        Whether codes are kept at or above zero.

    Yields
    ------
    A budget, and what a run of that many rounds at most would have ended with.

    Raises
    ------
    ValueError
        If the shapes do not go together, or the budgets do not increase from at least 1.
    """
    require_match(observations, initial)
    require_increasing(budgets=budgets)
    require_positive_integer(first_budget=budgets[0], n_samples=observations.shape[1])
    learners = [
        _Learner(*given, settings, non_negative)
        for given in zip(observations, initial, seeds, strict=True)
    ]
    divergence = Divergence() if divergence is None else divergence
    steps = checkpoint.steps(budgets[-1], *learners, divergence)
    for count in progress(steps, "dictionary learning"):
        for index, learner in enumerate(learners):
            if not (learner.converged or index in divergence.when):
                learner.round(count)
                if not math.isfinite(learner.change[-1]):
                    divergence.note(index, f"at round {count}")
        if count + 1 in budgets:
            yield count + 1, _stack(learners)
        sound = divergence.sound(len(learners))
        if all(learners[index].converged for index in sound):
            break
    for budget in budgets:
        if budget > count + 1:
            yield budget, _stack(learners)


class _Learner:
    """One seed: its dictionary, and the last codes of each batch."""

    def __init__(
        self,
        observations: Tensor,
        initial: Tensor,
        seed: int,
        settings: IncrementalLearning,
        non_negative: bool,
    ) -> None:
        self.settings, self.seed, self.non_negative = settings, seed, non_negative
        self.scale = float(observations.double().square().mean().sqrt()) or 1.0
        order = np.random.default_rng(seed).permutation(len(observations))
        batches = np.array_split(order, min(settings.n_batches, len(order)))
        self.batches = [observations[rows] / self.scale for rows in batches]
        # A copy: sweeps write into it.
        self.rows = initial.T.clone(memory_format=torch.contiguous_format)
        self.limit = redundancy_limit(self.rows.cpu().numpy())
        self.codes = [
            SparseCodes.none(len(batch), len(self.rows), batch.device) for batch in self.batches
        ]
        self.change: list[float] = []
        self.objectives: list[float] = []
        self.n_replaced = 0
        self.converged = False

    def round(self, count: int) -> None:
        """Take a pass over all batches, number `count` from 0."""
        settings, penalty = self.settings, self.settings.penalty(count)
        # Random numbers of a round are its own, so that there is no state to be kept.
        draws = np.random.default_rng((self.seed, count))
        exhausted = settings.exhausted(self.objectives)
        if settings.looks(count) and not exhausted:
            self.objectives.append(self._objective(settings.penalty(count - 1)))
            self.n_replaced = self._replace(draws)
        before = self.rows.clone()
        # Summed anew, or rounding errors of many exchanges would add up.
        sums = CodeSums(self.rows)
        for batch, codes in zip(self.batches, self.codes, strict=True):
            sums.add(1.0, codes, batch)
        for index in draws.permutation(len(self.batches)):
            batch, old = self.batches[index], self.codes[index]
            new = self._infer(batch, self.rows, old, penalty)
            sums.add(-1.0, old, batch)
            sums.add(1.0, new, batch)
            self.codes[index] = new
            sums.sweep(self.rows, settings.relaxation)
            if not self.rows.isfinite().all():
                break
        self.change.append(float((self.rows - before).norm() / before.norm()))
        if not math.isfinite(self.change[-1]):
            self.rows = before
        still = self.change[-1] < settings.tolerance
        self.converged = still and (exhausted or settings.settles(count, self.n_replaced))

    def _infer(
        self, samples: Tensor, rows: Tensor, start: SparseCodes | None, penalty: float
    ) -> SparseCodes:
        tolerance = self.settings.code_tolerance
        return exact_lasso(
            samples[None],
            rows.T[None],
            penalty,
            start,
            self.non_negative,
            tolerance=tolerance,
            max_rounds=MAX_LOOKS,
        )

    def _objective(self, penalty: float) -> float:
        """Return what a sample adds to F at the codes that are kept, on average."""
        fit, length = 0.0, 0.0
        for batch, codes in zip(self.batches, self.codes, strict=True):
            left = remainder(batch, self.rows, codes)
            fit += float(left.double().square().sum()) / 2
            length += float(codes.values.abs().sum())
        return (fit + penalty * length) / sum(map(len, self.batches))

    def _replace(self, draws: np.random.Generator) -> int:
        """Let atoms that are of no use begin anew; return their number."""
        useless = self.useless()
        if not useless.any():
            return 0
        kept = self.rows[torch.from_numpy(~useless)]
        remainders = self._remainders(kept, draws).cpu()
        fresh = fresh_atoms(remainders, int(useless.sum()), self.non_negative)
        replaced = torch.from_numpy(np.flatnonzero(useless))[: len(fresh)].to(self.rows.device)
        self.rows[replaced] = fresh.to(self.rows.device)
        self.codes = [codes.without(replaced) for codes in self.codes]
        return len(replaced)

    def _remainders(self, kept: Tensor, draws: np.random.Generator) -> Tensor:
        """Return of samples, or of some, what atoms that are kept do not explain (sample, obs).

        At the first λ: few atoms explain a sample. At the last, they would explain what they lack.
        """
        samples = torch.cat(self.batches)
        if len(samples) > MAX_COMPARED:
            samples = samples[draws.choice(len(samples), MAX_COMPARED, replace=False)]
        if not len(kept):
            return samples
        codes = self._infer(samples, kept, None, self.settings.first_penalty)
        return remainder(samples, kept, codes)

    def useless(self) -> np.ndarray:
        """Tell which atoms (atom,) hardly any sample shares, or are made of a few others."""
        atoms, values = (
            torch.cat([getattr(codes, name) for codes in self.codes]).cpu().numpy()
            for name in ("atoms", "values")
        )
        energy, fourth = (np.bincount(atoms, values**power, len(self.rows)) for power in (2, 4))
        sharing = energy**2 / np.maximum(fourth, np.finfo(float).tiny)
        return useless_atoms(self.rows.cpu().numpy(), energy, sharing, self.limit)

    def usage(self) -> Tensor:
        """Return the share of the samples that use an atom (atom,)."""
        atoms = torch.cat([codes.atoms for codes in self.codes])
        n_samples = sum(map(len, self.batches))
        return torch.bincount(atoms, minlength=len(self.rows)).double() / n_samples

    def determined(self) -> bool:
        """Return whether there are more numbers observed than there are in codes and atoms."""
        n_atoms, obs_dim = self.rows.shape
        n_samples = sum(map(len, self.batches))
        n_entries = sum(len(codes.values) for codes in self.codes)
        return n_samples * obs_dim > n_entries + n_atoms * (obs_dim - 1)

    def state_dict(self) -> dict[str, Any]:
        """Return what rounds change."""
        codes = [[codes.counts, codes.atoms, codes.values] for codes in self.codes]
        search = {"objectives": self.objectives, "n_replaced": self.n_replaced}
        learned = {"rows": self.rows, "codes": codes, "change": self.change}
        return learned | search | {"converged": self.converged}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` has told."""
        self.rows = state_dict["rows"]
        self.codes = [SparseCodes(*parts, len(self.rows)) for parts in state_dict["codes"]]
        self.change = list(state_dict["change"])
        self.objectives = list(state_dict["objectives"])
        self.n_replaced, self.converged = state_dict["n_replaced"], state_dict["converged"]


def _stack(learners: Sequence[_Learner]) -> IncrementalDictionary:
    """Return copies of what has been learned, where it was."""
    n_rounds = torch.tensor([len(learner.change) for learner in learners])
    change = torch.full((len(learners), int(n_rounds.max())), torch.nan)
    for row, learner in zip(change, learners, strict=True):
        row[: len(learner.change)] = torch.tensor(learner.change)
    last = [
        learner.settings.penalty(len(learner.change) - 1) * learner.scale for learner in learners
    ]
    dictionary = torch.stack([learner.rows.T for learner in learners]).contiguous()
    learned = IncrementalDictionary(
        dictionary=dictionary,
        penalty=torch.tensor(last),
        n_rounds=n_rounds,
        converged=torch.tensor([learner.converged for learner in learners]),
        determined=torch.tensor([learner.determined() for learner in learners]),
        change=change,
        usage=torch.stack([learner.usage() for learner in learners]),
        n_useless=torch.tensor([int(learner.useless().sum()) for learner in learners]),
    )
    return IncrementalDictionary(*(part.to(dictionary.device) for part in learned))


def report_misses(result: IncrementalDictionary, seeds: Sequence[int]) -> None:
    """Tell standard error of seeds whose dictionary is not to be trusted, and why."""
    for index, seed in enumerate(seeds):
        for miss in _misses(result, index):
            print(f"dictionary learning, seed {seed}: {miss}", file=sys.stderr)


def _misses(result: IncrementalDictionary, index: int) -> Iterator[str]:
    if not result.converged[index]:
        n_rounds = int(result.n_rounds[index])
        last = float(result.change[index, n_rounds - 1])
        yield f"not converged; the last of {n_rounds} rounds changed the dictionary by {last:.1e}"
    if not result.determined[index]:
        yield "not determined; the samples have fewer numbers than codes and dictionary"
    if result.n_useless[index]:
        yield f"{int(result.n_useless[index])} atoms are hardly any sample's, or made of others"
