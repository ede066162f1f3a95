"""FISTA and ISTA: codes that solve the lasso for a given dictionary.

For each observation y, with atoms as the columns of D,

    minimise over z   F(z) = ½‖y − D z‖² + λ‖z‖₁,   z ≥ 0 where codes are non-negative.

Source: Beck and Teboulle, A fast iterative shrinkage-thresholding algorithm for linear inverse
problems, SIAM J. Imaging Sciences 2 (2009), with a constant step 1/L.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, repeat

import torch
from torch import Tensor

from sae_surgery.checks import require_count, require_match, require_non_negative
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
    weights = _momentum_weights()
    return _infer(observations, dictionary, lam, n_iter, start, non_negative, weights)


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
    return _infer(observations, dictionary, lam, n_iter, start, non_negative, repeat(1.0))


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
    n_iter: int,
    start: Tensor | None,
    non_negative: bool,
    weights: Iterable[float],
) -> Tensor:
    """Check the arguments and iterate, a block of samples at a time."""
    require_match(observations, dictionary)
    require_non_negative(lam=lam)
    require_count(n_iter=n_iter)
    n_samples, n_atoms = observations.shape[1], dictionary.shape[2]
    shape = (len(observations), n_samples, n_atoms)
    if start is not None and tuple(start.shape) != shape:
        raise ValueError(f"start must have shape {shape}, got {tuple(start.shape)}")
    codes = pad_codes(observations.new_zeros(shape) if start is None else start)
    observations, dictionary = pad_observations(observations), pad_dictionary(dictionary)
    weights = list(islice(weights, n_iter))
    step = 1 / step_bound(dictionary)[:, None, None]
    shrink = _clamp if non_negative else _soften
    gradient_step = _gradient_step(dictionary, step)
    for block in sample_blocks(*codes.shape[1:], codes.device):
        gradient_step.begin(observations[:, block])
        codes[:, block] = _iterate(codes[:, block], gradient_step, shrink, step * lam, weights)
    return codes[:, :n_samples, :n_atoms].contiguous()


def _iterate(
    start: Tensor,
    gradient_step: "_GramStep | _ResidualStep",
    shrink: Callable[[Tensor, Tensor], None],
    threshold: Tensor,
    weights: list[float],
) -> Tensor:
    """Take proximal gradient steps from points w z − (w − 1) z_old, one step for each weight w."""
    previous = start.contiguous()
    point = previous.clone()
    codes = torch.empty_like(previous)
    for weight in weights:
        gradient_step.take(point, out=codes)
        shrink(codes, threshold)
        torch.lerp(previous, codes, weight, out=point)
        previous, codes = codes, previous
    return previous


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
