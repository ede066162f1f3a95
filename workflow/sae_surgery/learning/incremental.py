"""Dictionary learning in small steps: sparse codes of a batch, and at once a better dictionary.

For observations y of unit mean square, with the unit columns of D as atoms, it descends on

    F(D) = Σ over samples of  min over z ≥ 0 of  ½‖y − D z‖² + λ‖z‖₁.

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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from sae_surgery.checks import (
    require_between,
    require_count,
    require_increasing,
    require_match,
    require_non_negative,
    require_positive,
    require_positive_integer,
)
from sae_surgery.learning.aimed import AimedLearner
from sae_surgery.learning.learner import Learner
from sae_surgery.machine.checkpoints import NONE, Checkpoint
from sae_surgery.machine.divergence import Divergence
from sae_surgery.machine.progress import Tracker, silent

PATIENCE = 3
"""Looks that have to lower the objective together, or the search ends."""

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
    l0: float = 0.0
    """Mean number of codes that are not zero for a sample. λ follows it, see `aimed`, instead of
    falling from the first to the last; 0: λ is as given."""

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
        require_non_negative(l0=self.l0)
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
    learner = AimedLearner if settings.l0 else Learner
    learners = [
        learner(*given, settings) for given in zip(observations, initial, seeds, strict=True)
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


def _stack(learners: Sequence[Learner]) -> IncrementalDictionary:
    """Return copies of what has been learned, where it was."""
    n_rounds = torch.tensor([len(learner.change) for learner in learners])
    change = torch.full((len(learners), int(n_rounds.max())), torch.nan)
    for row, learner in zip(change, learners, strict=True):
        row[: len(learner.change)] = torch.tensor(learner.change)
    last = [learner.penalty(len(learner.change) - 1) * learner.scale for learner in learners]
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
