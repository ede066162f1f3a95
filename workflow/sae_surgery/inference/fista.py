"""FISTA and ISTA: codes that solve the lasso for a given dictionary.

For each observation y, with atoms as the columns of D,

    minimise over z   F(z) = ½‖y − D z‖² + λ‖z‖₁,   z ≥ 0 where codes are non-negative.

Source: Beck and Teboulle, A fast iterative shrinkage-thresholding algorithm for linear inverse
problems, SIAM J. Imaging Sciences 2 (2009), with a constant step 1/L.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, repeat

import torch
from torch import Tensor

from sae_surgery.checks import (
    require_count,
    require_increasing,
    require_match,
    require_non_negative,
)
from sae_surgery.inference.layout import (
    pad_codes,
    pad_dictionary,
    pad_observations,
    sample_blocks,
)

BOUND_FLOOR = 1e-8
"""Smallest L: a dictionary of zeros gets a finite step."""


@dataclass(frozen=True)
class FistaSettings:
    """Settings of sparse inference; the defaults are the paper's.

    Raises
    ------
    ValueError
        If a value is out of range.
    """

    lam: float = 0.1
    """λ, weight of the l1 norm."""
    n_iter: int = 100
    """Iterations."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        require_non_negative(lam=self.lam)
        require_count(n_iter=self.n_iter)


@torch.no_grad()
def fista(
    observations: Tensor,
    dictionary: Tensor,
    lam: float,
    n_iter: int,
    start: Tensor | None = None,
    non_negative: bool = True,
) -> Tensor:
    """Infer codes by the accelerated proximal gradient method.

    Parameters
    ----------
    observations
        Y (seed, sample, obs).
    dictionary
        D (seed, obs, atom), of the same type and on the same device.
    lam
        λ of the objective at the head of this file.
    n_iter
        Number of iterations; 0 returns the start.
    start
        Codes to start from, (seed, sample, atom), left as they are; zeros if not given.
    non_negative
        Whether codes are kept at or above zero.

    Returns
    -------
    Codes Z (seed, sample, atom).

    Raises
    ------
    ValueError
        If the shapes do not go together, or `lam` or `n_iter` is negative.
    """
    require_count(n_iter=n_iter)
    counts = (n_iter,)
    return fista_snapshots(observations, dictionary, lam, counts, start, non_negative)[0]


@torch.no_grad()
def fista_snapshots(
    observations: Tensor,
    dictionary: Tensor,
    lam: float,
    counts: Sequence[int],
    start: Tensor | None = None,
    non_negative: bool = True,
) -> list[Tensor]:
    """Infer codes as `fista` does and return them after several numbers of iterations.

    It is one run, whose momentum carries on; each entry has the bits of a run of its own.

    Parameters
    ----------
    counts
        Numbers of iterations, increasing; at 0 codes are the start.

    Returns
    -------
    Codes Z (seed, sample, atom) for each of the counts. The other arguments are those of `fista`.

    Raises
    ------
    ValueError
        If the shapes do not go together, or `lam` or the counts are out of range.
    """
    weights = _momentum_weights()
    return _infer(observations, dictionary, lam, counts, start, non_negative, weights)


@torch.no_grad()
def lasso_path(
    observations: Tensor,
    dictionary: Tensor,
    lams: Sequence[float],
    n_iter: int,
    non_negative: bool = True,
) -> Iterator[tuple[float, Tensor]]:
    """Infer codes for several λ by `fista`, each starting from those of the next larger λ.

    Yields
    ------
    λ and its codes Z (seed, sample, atom), from the largest λ, which starts from zeros, to the
    smallest. `lams` may come in any order; the other arguments are those of `fista`.

    Raises
    ------
    ValueError
        If the shapes do not go together, or a λ or `n_iter` is negative.
    """
    codes = None
    for lam in sorted(lams, reverse=True):
        codes = fista(observations, dictionary, lam, n_iter, codes, non_negative)
        yield lam, codes


@torch.no_grad()
def ista(
    observations: Tensor,
    dictionary: Tensor,
    lam: float,
    n_iter: int,
    start: Tensor | None = None,
    non_negative: bool = True,
) -> Tensor:
    """Infer codes by the plain proximal gradient method; arguments and result as for `fista`."""
    require_count(n_iter=n_iter)
    return _infer(observations, dictionary, lam, (n_iter,), start, non_negative, repeat(1.0))[0]


def step_bound(dictionary: Tensor) -> Tensor:
    """Return L = ‖D‖₂² (seed,), the Lipschitz constant of the gradient, at least `BOUND_FLOOR`."""
    return torch.linalg.matrix_norm(dictionary, ord=2).square().clamp_min(BOUND_FLOOR)


def lasso_objective(observations: Tensor, dictionary: Tensor, codes: Tensor, lam: float) -> Tensor:
    """Return F (seed, sample) of codes (seed, sample, atom); see the head of this file."""
    residual = observations - codes @ dictionary.mT
    return residual.square().sum(2) / 2 + lam * codes.abs().sum(2)


def duality_gap(
    observations: Tensor,
    dictionary: Tensor,
    codes: Tensor,
    lam: float,
    non_negative: bool = True,
) -> Tensor:
    """Return an upper bound (seed, sample) of F(z) − min F, which is zero at the optimum only.

    The residual, scaled until no atom correlates with it by more than λ, is feasible for the dual
    problem: maximise ½‖y‖² − ½‖y − θ‖² subject to dᵀθ ≤ λ for each atom d (|dᵀθ| if signed).
    Divide by `lasso_objective` for the relative gap.
    """
    residual = observations - codes @ dictionary.mT
    correlations = residual @ dictionary
    largest = (correlations if non_negative else correlations.abs()).amax(2, keepdim=True)
    dual_point = residual * (lam / largest.clamp_min(max(lam, BOUND_FLOOR)))
    dual = (observations.square() - (observations - dual_point).square()).sum(2) / 2
    return lasso_objective(observations, dictionary, codes, lam) - dual


def _momentum_weights() -> Iterator[float]:
    """Yield 1 + (t − 1)/t' with t' = (1 + √(1 + 4t²))/2 the next t, from t = 1."""
    t = 1.0
    while True:
        following = (1 + math.sqrt(1 + 4 * t * t)) / 2
        yield 1 + (t - 1) / following
        t = following


def _infer(
    observations: Tensor,
    dictionary: Tensor,
    lam: float,
    counts: Sequence[int],
    start: Tensor | None,
    non_negative: bool,
    weights: Iterable[float],
) -> list[Tensor]:
    """Check the arguments and iterate, a block of samples at a time."""
    require_match(observations, dictionary)
    require_non_negative(lam=lam)
    require_increasing(counts=counts)
    n_samples, n_atoms = observations.shape[1], dictionary.shape[2]
    shape = (len(observations), n_samples, n_atoms)
    if start is None:
        start = observations.new_zeros(()).expand(shape)
    if tuple(start.shape) != shape:
        raise ValueError(f"start must have shape {shape}, got {tuple(start.shape)}")
    snapshots = [observations.new_empty(shape) for _ in counts]
    observations, dictionary = pad_observations(observations), pad_dictionary(dictionary)
    weights = list(islice(weights, counts[-1]))
    step = 1 / step_bound(dictionary)[:, None, None]
    shrink = _clamp if non_negative else _soften
    gradient_step = _gradient_step(dictionary, step)
    for block in sample_blocks(observations.shape[1], dictionary.shape[2], dictionary.device):
        gradient_step.begin(observations[:, block])
        iterates = _iterate(pad_codes(start[:, block]), gradient_step, shrink, step * lam, weights)
        wanted = (codes for count, codes in enumerate(iterates) if count in counts)
        for snapshot, codes in zip(snapshots, wanted, strict=True):
            target = snapshot[:, block]
            target.copy_(codes[:, : target.shape[1], :n_atoms])
    return snapshots


def _iterate(
    start: Tensor,
    gradient_step: "_GramStep | _ResidualStep",
    shrink: Callable[[Tensor, Tensor], None],
    threshold: Tensor,
    weights: list[float],
) -> Iterator[Tensor]:
    """Take proximal gradient steps from points w z − (w − 1) z_old, one step for each weight w.

    Yields the start, which is overwritten, and the codes after each step; they hold until the next.
    """
    previous = start
    point = previous.clone()
    codes = torch.empty_like(previous)
    yield previous
    for weight in weights:
        gradient_step.take(point, out=codes)
        shrink(codes, threshold)
        torch.lerp(previous, codes, weight, out=point)
        previous, codes = codes, previous
        yield previous


def _clamp(codes: Tensor, threshold: Tensor) -> None:
    """Apply the proximal operator of λ‖z‖₁ with z ≥ 0, in place.

    Soft thresholding followed by max(·, 0) is max(z − θ, 0), because what soft thresholding leaves
    below zero is clamped, and above zero it subtracts θ.
    """
    codes.sub_(threshold).clamp_(min=0)


def _soften(codes: Tensor, threshold: Tensor) -> None:
    """Apply the proximal operator of λ‖z‖₁, sign(z) max(|z| − θ, 0), in place."""
    codes.sub_(codes.clamp(-threshold, threshold))


def _gradient_step(dictionary: Tensor, step: Tensor) -> "_GramStep | _ResidualStep":
    """Return the cheaper way to take a gradient step.

    A sample costs 2n² operations with DᵀD, and 4mn without, which needs no n × n matrix either.
    """
    obs_dim, n_atoms = dictionary.shape[1:]
    return (_GramStep if n_atoms < 2 * obs_dim else _ResidualStep)(dictionary, step)


class _GramStep:
    """z ← z (I − DᵀD/L) + Y D/L."""

    def __init__(self, dictionary: Tensor, step: Tensor) -> None:
        self.scaled = step * dictionary
        gram = torch.bmm(dictionary.mT, self.scaled)
        identity = torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device)
        self.transition = identity - gram

    def begin(self, observations: Tensor) -> None:
        """Turn to observations Y (seed, sample, obs)."""
        self.offset = torch.bmm(observations, self.scaled)

    def take(self, point: Tensor, out: Tensor) -> None:
        """Write the codes one step from `point`, both (seed, sample, atom)."""
        torch.baddbmm(self.offset, point, self.transition, out=out)


class _ResidualStep:
    """z ← z − (z Dᵀ − Y) D/L."""

    def __init__(self, dictionary: Tensor, step: Tensor) -> None:
        self.dictionary = dictionary
        self.scaled = step * dictionary

    def begin(self, observations: Tensor) -> None:
        """Turn to observations Y (seed, sample, obs)."""
        self.observations = observations
        self.residual = torch.empty_like(observations, memory_format=torch.contiguous_format)

    def take(self, point: Tensor, out: Tensor) -> None:
        """Write the codes one step from `point`, both (seed, sample, atom)."""
        dictionary = self.dictionary.mT
        torch.baddbmm(self.observations, point, dictionary, beta=-1, out=self.residual)
        torch.baddbmm(point, self.residual, self.scaled, alpha=-1, out=out)
