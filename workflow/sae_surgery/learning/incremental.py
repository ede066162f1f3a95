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
pull. And atoms that no sample uses, or that a few others make up (see `redundancy`), begin anew as
the residual r of a sample, drawn with probabilities ∝ ‖r‖⁴: they may double others, or be the sums
of latents that occur together.

Where one latent accompanies many others, F can be lower with atoms that have absorbed a bit of it,
and one opposite to it that mends them where it is absent. The opposite atom is redundant, but what
takes its place may become another. A seed that goes on like this ends as not converged.

λ, in units of the root mean square of the entries of Y, is the only thing that says how sparse
codes are: a random direction correlates with an observation by about that much.

Sources: updates of atoms and their sums, Mairal, Bach, Ponce and Sapiro, Online learning for matrix
factorization and sparse coding, JMLR 11 (2010); exchanging a sample's share, Neal and Hinton, A
view of the EM algorithm that justifies incremental, sparse, and other variants (1998), and Mairal,
Incremental majorization-minimization optimization, SIAM J. Optimization 25 (2015); overrelaxation,
Young (1954); replacement of atoms that are too like others, Pali and Schnass, arXiv 1804.07101.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sae_surgery.checkpoints import NONE, Checkpoint
from sae_surgery.checks import (
    require_count,
    require_increasing,
    require_match,
    require_positive,
    require_positive_integer,
)
from sae_surgery.inference.exact import exact_lasso
from sae_surgery.inference.sparse import SparseCodes
from sae_surgery.learning.incremental_kernels import add_products, step_atoms, subtract_codes
from sae_surgery.learning.redundancy import redundancy_limit, useless_atoms
from sae_surgery.progress import Tracker, silent

BLOCK_ATOMS = 64
"""Atoms whose gradients are one matrix product, corrected as they move."""

MAX_LOOKS = 20
"""How often a sample's correlations with all atoms are looked at in a round, at most."""

ENERGY_FLOOR = 1e-5
"""Atoms with less than this share of the mean energy stay where they are: rounding rules them."""


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
    last_penalty: float = 0.3
    """λ in the end, and of the codes, in these units."""
    anneal_rounds: int = 30
    """Rounds in which λ falls from the one to the other, by the same factor each."""
    n_batches: int = 10
    """Batches of a round."""
    relaxation: float = 1.5
    """ω, above 0 and below 2."""
    replace_every: int = 5
    """Rounds between looks for atoms to replace."""
    max_rounds: int = 100
    """Rounds after which a seed is given up as not converged."""
    tolerance: float = 1e-3
    """A seed has converged when λ has fallen, the last look has found no atom to replace, and a
    round has ‖D − D_old‖ / ‖D_old‖ below this."""
    record_every: int = 10
    """A fitted model holds the dictionaries after rounds 0, this, twice this, … and the last."""
    code_tolerance: float = 1e-2
    """Relative duality gap of the codes in a round."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        require_positive(
            first_penalty=self.first_penalty,
            last_penalty=self.last_penalty,
            relaxation=self.relaxation,
            tolerance=self.tolerance,
            code_tolerance=self.code_tolerance,
        )
        require_positive_integer(
            n_batches=self.n_batches,
            replace_every=self.replace_every,
            max_rounds=self.max_rounds,
            record_every=self.record_every,
        )
        require_count(anneal_rounds=self.anneal_rounds)
        if self.relaxation >= 2:
            raise ValueError(f"relaxation must be below 2, got {self.relaxation!r}")

    def penalty(self, count: int) -> float:
        """Return λ of a round, counted from 0."""
        share = min(1.0, count / max(1, self.anneal_rounds))
        return self.first_penalty ** (1 - share) * self.last_penalty**share

    def looks(self, count: int) -> bool:
        """Return whether a round, counted from 0, begins with a look for atoms to replace."""
        return count > 0 and count % self.replace_every == 0


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


@torch.no_grad()
def learn_incrementally(
    observations: Tensor,
    initial: Tensor,
    seeds: Sequence[int],
    settings: IncrementalLearning,
    budgets: Sequence[int],
    progress: Tracker = silent,
    checkpoint: Checkpoint = NONE,
) -> Iterator[tuple[int, IncrementalDictionary]]:
    """Learn a dictionary for each seed, on the CPU, and tell what has come after some rounds.

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
        _Learner(*given, settings) for given in zip(observations, initial, seeds, strict=True)
    ]
    for count in progress(checkpoint.steps(budgets[-1], *learners), "dictionary learning"):
        for learner in learners:
            if not learner.converged:
                learner.round(count)
        if count + 1 in budgets:
            yield count + 1, _stack(learners)
        if all(learner.converged for learner in learners):
            break
    for budget in budgets:
        if budget > count + 1:
            yield budget, _stack(learners)


class _Learner:
    """One seed: its dictionary, and the last codes of each batch."""

    def __init__(
        self, observations: Tensor, initial: Tensor, seed: int, settings: IncrementalLearning
    ) -> None:
        self.settings, self.seed = settings, seed
        self.scale = float(observations.double().square().mean().sqrt()) or 1.0
        order = np.random.default_rng(seed).permutation(len(observations))
        batches = np.array_split(order, min(settings.n_batches, len(order)))
        self.batches = [observations[rows] / self.scale for rows in batches]
        self.rows = initial.T.contiguous()
        self.limit = redundancy_limit(self.rows.numpy())
        self.codes = [_no_codes(len(batch), len(self.rows)) for batch in self.batches]
        self.change: list[float] = []
        self.n_replaced = 0
        self.converged = False

    def round(self, count: int) -> None:
        """Take a pass over all batches, number `count` from 0."""
        # Random numbers of a round are its own, so that there is no state to be kept.
        draws = np.random.default_rng((self.seed, count))
        if self.settings.looks(count):
            self.n_replaced = self._replace(draws)
        before = self.rows.clone()
        gram, target = self._sums()
        for index in draws.permutation(len(self.batches)):
            batch, old = self.batches[index], self.codes[index]
            new = self._infer(batch, old, self.settings.penalty(count))
            _exchange(old, new, batch, gram, target)
            self.codes[index] = new
            self._step(gram, target)
        self.change.append(float((self.rows - before).norm() / before.norm()))
        still = self.change[-1] < self.settings.tolerance
        annealed = count >= self.settings.anneal_rounds
        self.converged = still and annealed and self.n_replaced == 0

    def _infer(self, batch: Tensor, start: SparseCodes, penalty: float) -> SparseCodes:
        dictionary, tolerance = self.rows.T[None], self.settings.code_tolerance
        return exact_lasso(
            batch[None], dictionary, penalty, start, tolerance=tolerance, max_rounds=MAX_LOOKS
        )

    def _sums(self) -> tuple[Tensor, Tensor]:
        """Return ZᵀZ (atom, atom) and ZᵀY (atom, obs)."""
        n_atoms = len(self.rows)
        gram, target = self.rows.new_zeros(n_atoms, n_atoms), torch.zeros_like(self.rows)
        for batch, codes in zip(self.batches, self.codes, strict=True):
            _add(1.0, codes, batch, gram, target)
        return gram, target

    def _step(self, gram: Tensor, target: Tensor) -> None:
        """Sweep once over all atoms."""
        kind = np.float32
        floor = kind(ENERGY_FLOOR * float(gram.diagonal().mean()))
        for first in range(0, len(self.rows), BLOCK_ATOMS):
            block = slice(first, first + BLOCK_ATOMS)
            gradient = torch.addmm(target[block], gram[block], self.rows, alpha=-1)
            own = gram[block, block].numpy()
            relaxation = kind(self.settings.relaxation)
            step_atoms(gradient.numpy(), own, relaxation, floor, self.rows[block].numpy())

    def _replace(self, draws: np.random.Generator) -> int:
        """Let atoms that are of no use begin anew as residuals of samples; return their number."""
        useless = np.flatnonzero(useless_atoms(self.rows.numpy(), self._energy(), self.limit))
        residual = torch.cat([self._residual(index) for index in range(len(self.batches))])
        weights = residual.double().square().sum(1).square().numpy()
        useless = useless[: np.count_nonzero(weights)]
        if len(useless):
            chosen = draws.choice(len(weights), len(useless), False, weights / weights.sum())
            fresh = residual[chosen]
            self.rows[useless] = fresh / fresh.norm(dim=1, keepdim=True)
            self.codes = [_without(codes, useless) for codes in self.codes]
        return len(useless)

    def _residual(self, index: int) -> Tensor:
        """Return y − D z of a batch (sample, obs)."""
        residual = self.batches[index].clone()
        subtract_codes(*_entries(self.codes[index]), self.rows.numpy(), residual.numpy())
        return residual

    def _energy(self) -> np.ndarray:
        """Return Σ z² of each atom, (atom,)."""
        atoms, values = (
            torch.cat([getattr(codes, name) for codes in self.codes]).numpy()
            for name in ("atoms", "values")
        )
        return np.bincount(atoms, values**2, minlength=len(self.rows))

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
        progress = {"n_replaced": self.n_replaced, "converged": self.converged}
        return {"rows": self.rows, "codes": codes, "change": self.change, **progress}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` has told."""
        self.rows = state_dict["rows"]
        self.codes = [SparseCodes(*parts, len(self.rows)) for parts in state_dict["codes"]]
        self.change = list(state_dict["change"])
        self.n_replaced, self.converged = state_dict["n_replaced"], state_dict["converged"]


def _stack(learners: Sequence[_Learner]) -> IncrementalDictionary:
    """Return copies of what has been learned."""
    n_rounds = torch.tensor([len(learner.change) for learner in learners])
    change = torch.full((len(learners), int(n_rounds.max())), torch.nan)
    for row, learner in zip(change, learners, strict=True):
        row[: len(learner.change)] = torch.tensor(learner.change)
    last = [
        learner.settings.penalty(len(learner.change) - 1) * learner.scale for learner in learners
    ]
    return IncrementalDictionary(
        dictionary=torch.stack([learner.rows.T for learner in learners]).contiguous(),
        penalty=torch.tensor(last),
        n_rounds=n_rounds,
        converged=torch.tensor([learner.converged for learner in learners]),
        determined=torch.tensor([learner.determined() for learner in learners]),
        change=change,
        usage=torch.stack([learner.usage() for learner in learners]),
    )


def report_misses(result: IncrementalDictionary, seeds: Sequence[int]) -> None:
    """Tell standard error of seeds whose dictionary is not to be trusted, and why."""
    for index, seed in enumerate(seeds):
        if not result.converged[index]:
            n_rounds = int(result.n_rounds[index])
            last = float(result.change[index, n_rounds - 1])
            reason = f"the last of {n_rounds} rounds changed the dictionary by {last:.1e}"
            print(f"dictionary learning, seed {seed}: not converged; {reason}", file=sys.stderr)
        if not result.determined[index]:
            reason = "the samples have fewer numbers than codes and dictionary"
            print(f"dictionary learning, seed {seed}: not determined; {reason}", file=sys.stderr)


def _no_codes(n_samples: int, n_atoms: int) -> SparseCodes:
    nothing = torch.zeros(0, dtype=torch.int64)
    return SparseCodes(
        torch.zeros(1, n_samples, dtype=torch.int64), nothing, nothing.double(), n_atoms
    )


def _without(codes: SparseCodes, dropped: np.ndarray) -> SparseCodes:
    """Return codes without their entries of some atoms."""
    kept = ~torch.isin(codes.atoms, torch.from_numpy(dropped))
    n_samples = codes.counts.shape[1]
    samples = torch.arange(n_samples).repeat_interleave(codes.counts[0])[kept]
    counts = torch.bincount(samples, minlength=n_samples)[None]
    return SparseCodes(counts, codes.atoms[kept], codes.values[kept], codes.n_atoms)


def _exchange(
    old: SparseCodes, new: SparseCodes, batch: Tensor, gram: Tensor, target: Tensor
) -> None:
    """Put a batch's new codes into the sums in place of the old ones."""
    _add(-1.0, old, batch, gram, target)
    _add(1.0, new, batch, gram, target)


def _add(sign: float, codes: SparseCodes, batch: Tensor, gram: Tensor, target: Tensor) -> None:
    add_products(sign, *_entries(codes), batch.numpy(), gram.numpy(), target.numpy())


def _entries(codes: SparseCodes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return codes.counts[0].numpy(), codes.atoms.numpy(), codes.values.numpy()
