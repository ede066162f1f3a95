"""Codes z = softplus(u) and the dictionary by gradient descent together, without an encoder.

Some samples teach the dictionary, others are only coded. The loss of a seed is

    Σ over both sets   mean (y − D z)² + λ mean (z ‖d‖),

means over all elements of a set, d being a code's own atom; the dictionary receives no gradient
from the second set. Source: Barin Pacela et al., arXiv 2603.28744, and their released code.

Gradients are written out. The atoms' norms are one more row of the dictionary, and Σ z ‖d‖ thereby
one more observed dimension, so that the penalty costs no pass over the codes of its own. Each seed
has its own optimiser, learning rate and end; seeds run one after another, or as many at once as
there are threads. On a CPU, in single precision, compiled loops do what tensors do elsewhere.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad, softplus

from sae_surgery.checks import (
    require_count,
    require_match,
    require_non_negative,
    require_positive,
    require_positive_integer,
    require_split,
)
from sae_surgery.inference.columns import NORM_FLOOR, random_columns
from sae_surgery.inference.layout import VECTOR_WIDTH
from sae_surgery.learning.penalty import elementwise
from sae_surgery.learning.seeds import adamw_rates, each_seed
from sae_surgery.machine.checkpoints import NONE, Checkpoint, InPlace
from sae_surgery.machine.divergence import Divergence, not_finite
from sae_surgery.machine.progress import Tracker, silent

RECORD_EVERY = 100
"""Steps between two entries of the loss history."""


@dataclass(frozen=True)
class SoftplusAdam:
    """Settings of Softplus-Adam; the defaults are the paper's.

    Raises
    ------
    ValueError
        If a value is out of range.
    """

    lam: float = 0.1
    """λ, weight of the penalty."""
    start_mean: float = -10.0
    """Mean of the normal distribution that u is drawn from."""
    start_std: float = 1.0
    """Its standard deviation."""
    learning_rate: float = 1e-3
    """First learning rate of Adam."""
    growth: float = 1.1
    """The learning rate is multiplied by this after a new lowest loss …"""
    cut: float = 0.5
    """… and by this after …"""
    steps_before_cut: int = 2
    """… this many steps without one …"""
    lowest_rate: float = 1e-6
    """… and kept between this …"""
    highest_rate: float = 1.0
    """… and this."""
    max_steps: int = 50_000
    """Steps after which learning ends."""
    improvement: float = 1e-6
    """What a loss must be below the lowest one to count as better for the early stop."""
    patience: int = 5000
    """A seed stops after this many steps without a better loss …"""
    min_steps: int = 10_000
    """… in a step whose number, from 0, is above this."""
    learns_from: str = "val"
    """Split learned from: `val`, which is also scored, as published, or `train`."""
    lasso_penalty: bool = False
    """Whether λ is the lasso's rather than, as published, that of means over elements."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not math.isfinite(self.start_mean):
            raise ValueError(f"start_mean must be a finite number, got {self.start_mean}")
        require_non_negative(lam=self.lam, start_std=self.start_std, improvement=self.improvement)
        require_positive(
            learning_rate=self.learning_rate,
            growth=self.growth,
            cut=self.cut,
            lowest_rate=self.lowest_rate,
            highest_rate=self.highest_rate,
        )
        require_positive_integer(
            steps_before_cut=self.steps_before_cut,
            max_steps=self.max_steps,
            patience=self.patience,
        )
        require_count(min_steps=self.min_steps)
        require_split(self.learns_from)
        if self.lowest_rate > self.highest_rate:
            raise ValueError(
                f"lowest_rate must be at most highest_rate {self.highest_rate}, "
                f"got {self.lowest_rate}"
            )

    def penalty(self, obs_dim: int, n_atoms: int) -> float:
        """Return the weight of mean |z| in the loss, for a dictionary of that size."""
        return elementwise(self.lam, obs_dim, n_atoms) if self.lasso_penalty else self.lam


class SoftplusResult(NamedTuple):
    """What Softplus-Adam returns, all seeds stacked."""

    dictionary: Tensor
    """D (seed, obs, atom), columns of any length"""
    learned_codes: Tensor
    """Z (seed, sample, atom) of the samples that taught the dictionary"""
    other_codes: Tensor
    """Z (seed, sample, atom) of the samples that were only coded"""
    loss: Tensor
    """(seed, record), before every `RECORD_EVERY`-th step; NaN after a seed has stopped"""
    n_steps: Tensor
    """(seed,), steps taken"""
    rate: Tensor
    """(seed,), learning rate after the last step"""


@torch.no_grad()
def learn_softplus(
    observations: Tensor,
    others: Tensor,
    n_atoms: int,
    seeds: Sequence[int],
    settings: SoftplusAdam,
    progress: Tracker = silent,
    checkpoint: Checkpoint = NONE,
    divergence: Divergence | None = None,
) -> SoftplusResult:
    """Learn a dictionary and codes for each seed, from random ones.

    A seed draws u for `observations`, then for `others`, then its dictionary, from one generator.

    Parameters
    ----------
    observations
        Y (seed, sample, obs) that teach the dictionary.
    others
        Y (seed, sample, obs) that are coded along with it; there may be no samples.
    n_atoms
        Width of the dictionary.
    seeds
        One for each entry of the arrays.
    settings
        See `SoftplusAdam`.
    progress
        Wraps each seed's loop over steps.
    checkpoint
        Saves what is learned between steps, each seed by itself.
    divergence
        Is told of seeds that diverge. They end with that step, and what they have is of no meaning.

    Raises
    ------
    ValueError
        If the shapes do not go together, or there is not one seed for each entry.
    """
    require_positive_integer(n_atoms=n_atoms)
    shapes = tuple(observations.shape), tuple(others.shape)
    if observations.ndim != 3 or shapes[0][::2] != shapes[1][::2] or len(seeds) != shapes[0][0]:
        raise ValueError(
            f"observations and others must have shape ({len(seeds)}, sample, obs), "
            f"got {shapes[0]} and {shapes[1]}"
        )

    def run(seed: int, taught: Tensor, coded: Tensor) -> _Run:
        generator = torch.Generator().manual_seed(seed)
        starts = [_draw_logits(len(y), n_atoms, settings, generator) for y in (taught, coded)]
        dictionary = random_columns(taught.shape[1], n_atoms, generator)
        problem = _problem(dictionary.to(taught), settings.penalty(*dictionary.shape))
        problem.add(taught, starts[0], teaches=True)
        if len(coded):
            problem.add(coded, starts[1], teaches=False)
        part = checkpoint.part(f"seed_{seed}")
        return _descend(problem, settings, progress, f"softplus_adam, seed {seed}", part)

    runs = each_seed(run, seeds, observations, others)
    if divergence is not None:
        for index, each in enumerate(runs):
            if each.diverged:
                divergence.note(index, f"at step {each.n_steps - 1}")
    return _stack(runs)


@torch.no_grad()
def infer_softplus(
    observations: Tensor,
    dictionary: Tensor,
    settings: SoftplusAdam,
    progress: Tracker = silent,
) -> Tensor:
    """Infer codes (seed, sample, atom) for a fixed dictionary, by the same descent.

    All u start at `settings.start_mean`: with the dictionary given there is no symmetry to break,
    and codes depend on nothing but the arguments.

    Parameters
    ----------
    observations
        Y (seed, sample, obs).
    dictionary
        D (seed, obs, atom).
    settings
        See `SoftplusAdam`.
    progress
        Wraps each seed's loop over steps.

    Raises
    ------
    ValueError
        If the shapes do not go together.
    """
    require_match(observations, dictionary)

    def run(number: int, coded: Tensor, atoms: Tensor) -> Tensor:
        start = coded.new_full((len(coded), atoms.shape[1]), settings.start_mean)
        problem = _problem(atoms, settings.penalty(*atoms.shape))
        problem.add(coded, start, teaches=False)
        return _descend(problem, settings, progress, f"softplus codes, problem {number}").codes[0]

    return torch.stack(each_seed(run, range(len(observations)), observations, dictionary))


@dataclass
class AdaptiveRate:
    """The learning rate of one seed: up while the loss sets records, down when it does not."""

    settings: SoftplusAdam
    rate: float = field(init=False)
    lowest: float = math.inf
    steps_since: int = 0

    def __post_init__(self) -> None:
        """Start from the first learning rate."""
        self.rate = self.settings.learning_rate

    def update(self, loss: float) -> float:
        """Return the rate of the next step, given the loss of the last."""
        if loss < self.lowest:
            self.lowest, self.steps_since = loss, 0
            self.rate *= self.settings.growth
        else:
            self.steps_since += 1
            if self.steps_since >= self.settings.steps_before_cut:
                self.steps_since = 0
                self.rate *= self.settings.cut
        self.rate = min(max(self.rate, self.settings.lowest_rate), self.settings.highest_rate)
        return self.rate


@dataclass
class EarlyStop:
    """The end of one seed: when its loss has not become better for long enough."""

    settings: SoftplusAdam
    lowest: float = math.inf
    steps_since: int = 0

    def reached(self, loss: float, step: int) -> bool:
        """Return whether to stop after `step`, counted from 0."""
        if loss < self.lowest - self.settings.improvement:
            self.lowest, self.steps_since = loss, 0
        else:
            self.steps_since += 1
        return self.steps_since >= self.settings.patience and step > self.settings.min_steps


class _Problem(ABC):
    """One seed: its samples, what is learned, and how."""

    @abstractmethod
    def add(self, observations: Tensor, logits: Tensor, teaches: bool) -> None:
        """Add observations (sample, obs) with the u (sample, atom) to start from."""

    @abstractmethod
    def step(self, rate: float) -> float:
        """Take a step of Adam and return the loss before it, rounded to single precision.

        The published schedule compares losses that are rounded so.
        """

    @abstractmethod
    def dictionary(self) -> Tensor:
        """Return a copy of D (obs, atom)."""

    @abstractmethod
    def codes(self) -> list[Tensor]:
        """Return the codes (sample, atom) of each set, in the order of adding."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return what steps change."""

    @abstractmethod
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` has told."""


def _problem(dictionary: Tensor, lam: float) -> _Problem:
    """Return the faster kind of problem of those that can start from a dictionary (obs, atom)."""
    compiled = dictionary.device.type == "cpu" and dictionary.dtype == torch.float32
    return (CompiledProblem if compiled else TensorProblem)(dictionary, lam)


def _extend(dictionary: Tensor) -> Tensor:
    """Return D (obs, atom) with room for the norms of its columns below, and padding."""
    padding = -(len(dictionary) + 1) % VECTOR_WIDTH
    return pad(dictionary, (0, 0, 0, 1 + padding))


@dataclass
class _Samples:
    """One set of samples with its codes; arrays as wide as the extended dictionary has rows."""

    observations: Tensor
    """(sample, row), zero in the row of norms and the padding"""
    logits: Tensor
    """u (sample, atom); its `grad` holds the gradient"""
    teaches: bool
    residual: Tensor
    """(sample, row)"""
    codes: Tensor
    """(sample, atom)"""


class TensorProblem(_Problem):
    """A problem on any device."""

    def __init__(self, dictionary: Tensor, lam: float) -> None:
        self.obs_dim = dictionary.shape[0]
        self.lam = lam
        self.extended = _extend(dictionary)
        self.atoms = self.extended[: self.obs_dim]
        self.norms = self.extended[self.obs_dim]
        self.samples: list[_Samples] = []

    def add(self, observations: Tensor, logits: Tensor, teaches: bool) -> None:
        """Add observations (sample, obs) with the u (sample, atom) to start from."""
        padding = len(self.extended) - self.obs_dim
        extended = pad(observations, (0, padding))
        logits = logits.to(observations, copy=True)
        logits.grad = torch.empty_like(logits)
        buffers = torch.empty_like(extended), torch.empty_like(logits)
        self.samples.append(_Samples(extended, logits, teaches, *buffers))

    def step(self, rate: float) -> float:
        """Take a step of Adam and return the loss before it."""
        torch.linalg.vector_norm(self.atoms, dim=0, out=self.norms)
        loss = float(sum(self._differentiate(samples) for samples in self.samples))
        self.optimiser.param_groups[0]["lr"] = rate
        self.optimiser.step()
        return loss

    @cached_property
    def optimiser(self) -> torch.optim.Adam:
        """Adam on what is learned, once all samples have been added."""
        return torch.optim.Adam(self._learned(), fused=True)

    def _learned(self) -> list[Tensor]:
        logits = [samples.logits for samples in self.samples]
        teaching = any(samples.teaches for samples in self.samples)
        return [*logits, self.atoms] if teaching else logits

    def _differentiate(self, samples: _Samples) -> Tensor:
        """Return the share of one set of samples in the loss and write the gradient."""
        codes = softplus(samples.logits, out=samples.codes)
        residual = samples.residual
        torch.addmm(samples.observations, codes, self.extended.T, beta=-1, out=residual)
        error, penalty = residual[:, : self.obs_dim], residual[:, self.obs_dim]
        loss = error.square().mean() + penalty.sum() * (self.lam / codes.numel())

        residual.mul_(2 / error.numel())
        penalty.fill_(self.lam / codes.numel())
        gradient = torch.mm(residual, self.extended, out=samples.logits.grad)
        if samples.teaches:
            extended = residual.T @ codes
            direction = self.atoms / self.norms.clamp_min(NORM_FLOOR)
            by_norms = extended[self.obs_dim] * direction
            self.atoms.grad = extended[: self.obs_dim].add_(by_norms)
        gradient.mul_(torch.sigmoid(samples.logits, out=codes))
        return loss

    def dictionary(self) -> Tensor:
        """Return a copy of D (obs, atom)."""
        return self.atoms.clone()

    def codes(self) -> list[Tensor]:
        """Return the codes (sample, atom) of each set, in the order of adding."""
        return [softplus(samples.logits) for samples in self.samples]

    def state_dict(self) -> dict[str, Any]:
        """Return what steps change."""
        learned = InPlace(*self._learned()).state_dict()
        return {"learned": learned, "optimiser": self.optimiser.state_dict()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` has told."""
        InPlace(*self._learned()).load_state_dict(state_dict["learned"])
        self.optimiser.load_state_dict(state_dict["optimiser"])


class CompiledProblem(_Problem):
    """A problem on a CPU, in single precision; see `softplus_kernels`."""

    def __init__(self, dictionary: Tensor, lam: float) -> None:
        from sae_surgery.learning.softplus_kernels import Dictionary

        self.lam = lam
        moments = [np.zeros(tuple(dictionary.shape), np.float32) for _ in range(2)]
        self.learned = Dictionary(_extend(dictionary).numpy(), *moments)
        self.obs_dim = len(dictionary)
        self.samples, self.teaches = [], []
        self.n_steps = 0

    def add(self, observations: Tensor, logits: Tensor, teaches: bool) -> None:
        """Add observations (sample, obs) with the u (sample, atom) to start from."""
        from sae_surgery.learning.softplus_kernels import Samples

        logits = logits.to(observations, copy=True).numpy()
        moments = np.zeros_like(logits), np.zeros_like(logits)
        self.samples.append(Samples(observations.contiguous().numpy(), logits, *moments))
        self.teaches.append(teaches)

    def step(self, rate: float) -> float:
        """Take a step of Adam and return the loss before it."""
        from sae_surgery.learning.softplus_kernels import code, learn, measure

        (rates,) = adamw_rates(self.n_steps, 1, rate)
        self.n_steps += 1
        extended = self.learned.extended
        measure(extended, self.obs_dim)
        taught, ignored = np.zeros_like(extended), extended[:0]
        loss = 0.0
        for samples, teaches in zip(self.samples, self.teaches, strict=True):
            loss += code(samples, extended, self.lam, rates, taught if teaches else ignored)
        if any(self.teaches):
            learn(self.learned, taught, rates)
        return float(np.float32(loss))

    def dictionary(self) -> Tensor:
        """Return a copy of D (obs, atom)."""
        return torch.tensor(self.learned.extended[: self.obs_dim])

    def codes(self) -> list[Tensor]:
        """Return the codes (sample, atom) of each set, in the order of adding."""
        return [softplus(torch.from_numpy(samples.logits)) for samples in self.samples]

    def state_dict(self) -> dict[str, Any]:
        """Return what steps change."""
        return {"n_steps": self.n_steps, "arrays": self._arrays().state_dict()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` has told."""
        self.n_steps = state_dict["n_steps"]
        self._arrays().load_state_dict(state_dict["arrays"])

    def _arrays(self) -> InPlace:
        learned = [(samples.logits, samples.first, samples.second) for samples in self.samples]
        return InPlace(*self.learned, *chain.from_iterable(learned))


@dataclass
class _Course:
    """How one seed has come along, beside what it has learned."""

    rate: AdaptiveRate
    stop: EarlyStop
    losses: list[float] = field(default_factory=list)

    def state_dict(self) -> dict[str, Any]:
        """Return what steps change."""
        return {
            "rate": (self.rate.rate, self.rate.lowest, self.rate.steps_since),
            "stop": (self.stop.lowest, self.stop.steps_since),
            "losses": self.losses,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` has told."""
        self.rate.rate, self.rate.lowest, self.rate.steps_since = state_dict["rate"]
        self.stop.lowest, self.stop.steps_since = state_dict["stop"]
        self.losses = state_dict["losses"]


class _Run(NamedTuple):
    """What is kept of one seed; the optimiser's arrays are not."""

    dictionary: Tensor
    codes: list[Tensor]
    loss: list[float]
    n_steps: int
    rate: float
    diverged: bool
    """Whether the last step had a loss, or left atoms or codes, that are not finite."""


def _descend(
    problem: _Problem,
    settings: SoftplusAdam,
    progress: Tracker,
    label: str,
    checkpoint: Checkpoint = NONE,
) -> _Run:
    """Optimise one seed in place."""
    course = _Course(AdaptiveRate(settings), EarlyStop(settings))
    for step in progress(checkpoint.steps(settings.max_steps, problem, course), label):
        loss = problem.step(course.rate.rate)
        if not math.isfinite(loss):
            break
        course.rate.update(loss)
        if step % RECORD_EVERY == 0:
            course.losses.append(loss)
        if course.stop.reached(loss, step):
            break
    dictionary, codes = problem.dictionary(), problem.codes()
    diverged = not math.isfinite(loss) or any(not_finite(part) for part in (dictionary, *codes))
    return _Run(dictionary, codes, course.losses, step + 1, course.rate.rate, diverged)


def _draw_logits(
    n_samples: int, n_atoms: int, settings: SoftplusAdam, generator: torch.Generator
) -> Tensor:
    drawn = torch.randn(n_samples, n_atoms, generator=generator)
    return drawn.mul_(settings.start_std).add_(settings.start_mean)


def _stack(runs: list[_Run]) -> SoftplusResult:
    longest = max(len(run.loss) for run in runs)
    losses = [run.loss + [math.nan] * (longest - len(run.loss)) for run in runs]
    return SoftplusResult(
        dictionary=torch.stack([run.dictionary for run in runs]),
        learned_codes=torch.stack([run.codes[0] for run in runs]),
        other_codes=torch.stack([_codes_of_others(run) for run in runs]),
        loss=torch.tensor(losses),
        n_steps=torch.tensor([run.n_steps for run in runs]),
        rate=torch.tensor([run.rate for run in runs]),
    )


def _codes_of_others(run: _Run) -> Tensor:
    """Return the codes of the samples that were only coded, none if there were none."""
    return run.codes[1] if len(run.codes) > 1 else run.codes[0][:0]
