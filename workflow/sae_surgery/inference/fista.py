"""FISTA and ISTA: codes that solve the lasso for a given dictionary.

For each observation y, with atoms as the columns of D,

    minimise over z   F(z) = ½‖y − D z‖² + λ‖z‖₁,   z ≥ 0 where codes are non-negative.

Source: Beck and Teboulle, A fast iterative shrinkage-thresholding algorithm for linear inverse
problems, SIAM J. Imaging Sciences 2 (2009), with a constant step 1/L.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice, repeat

import torch
from torch import Tensor

from sae_surgery.checks import (
    require_count,
    require_increasing,
    require_match,
    require_non_negative,
)
from sae_surgery.inference.few_atoms import FewAtoms
from sae_surgery.inference.layout import (
    pad_codes,
    pad_dictionary,
    pad_observations,
    sample_blocks,
)
from sae_surgery.machine.threads import each

BOUND_FLOOR = 1e-8
"""Smallest L: a dictionary of zeros gets a finite step."""

LOOK_EVERY = 10
"""Steps between looks, from the first step on, at how sparse codes have become."""

TRIAL_STEPS, WAIT_AFTER_TRIAL = 5, 50
"""Steps on few atoms that show whether they pay, and steps before the next look if not."""


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

    It is one run, whose momentum carries on; each entry is that of a run of its own up to rounding.

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
    weights = momentum_weights()
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
    """Return L = ‖D‖₂² (seed,), the Lipschitz constant of the gradient, at least `BOUND_FLOOR`.

    It is the largest eigenvalue of the smaller of D Dᵀ and Dᵀ D, which costs a product of D with
    itself; squaring is harmless in double precision.
    """
    exact = dictionary.double()
    wide = dictionary.shape[1] < dictionary.shape[2]
    product = torch.bmm(exact, exact.mT) if wide else torch.bmm(exact.mT, exact)
    largest = torch.linalg.eigvalsh(product)[:, -1]
    return largest.to(dictionary.dtype).clamp_min(BOUND_FLOOR)


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


def momentum_weights() -> Iterator[float]:
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
    """Check the arguments and iterate, a block of samples at a time.

    A CPU takes one seed after the other, with blocks on as many threads as there are; a GPU takes
    all seeds at once.
    """
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
    # The first step is taken from the start itself.
    weights = list(islice(chain([1.0], weights), counts[-1]))
    for seeds in _stacks(dictionary):
        descent = Descent(dictionary[seeds], lam, non_negative, weights)

        def infer(block: slice, seeds: slice = seeds, descent: Descent = descent) -> None:
            codes = pad_codes(start[seeds, block])
            iterates = descent.iterate(observations[seeds, block], codes, counts)
            for snapshot, codes in zip(snapshots, iterates, strict=True):
                target = snapshot[seeds, block]
                target.copy_(codes[:, : target.shape[1], :n_atoms])

        blocks = sample_blocks(observations.shape[1], dictionary.shape[2], dictionary.device)
        list((each if dictionary.device.type == "cpu" else map)(infer, blocks))
    return snapshots


def _stacks(dictionary: Tensor) -> list[slice]:
    """Return the seeds to be worked on together, of dictionaries (seed, obs, atom)."""
    n_seeds = len(dictionary)
    size = 1 if dictionary.device.type == "cpu" else n_seeds
    return [slice(first, first + size) for first in range(0, n_seeds, size)]


class Descent:
    """Proximal gradient steps for a stack of dictionaries."""

    def __init__(
        self, dictionary: Tensor, lam: float, non_negative: bool, weights: list[float]
    ) -> None:
        bound = step_bound(dictionary)
        step = 1 / bound[:, None, None]
        self.gradient_step = _gradient_step(dictionary, step)
        self.shrink = _clamp if non_negative else _soften
        self.threshold = step * lam
        self.weights = weights
        self.few_atoms = None
        if FewAtoms.serves(dictionary):
            self.few_atoms = FewAtoms(dictionary[0], lam, float(bound), not non_negative, weights)

    def iterate(
        self, observations: Tensor, codes: Tensor, counts: Sequence[int]
    ) -> Iterator[Tensor]:
        """Take steps from points z_old + w (z − z_old), a weight w for each, on one block.

        Yields the codes (seed, sample, atom) after each of the counts; they hold until the next.
        The start is overwritten.
        """
        take_gradient_step = self.gradient_step.towards(observations)
        old, point = codes.clone(), torch.empty_like(codes)
        taken, few, look_at, patience = 0, False, 1, TRIAL_STEPS
        for count in counts:
            while taken < count:
                if not few and taken == look_at:
                    few = self.few_atoms is not None and self.few_atoms.suffice(codes[0])
                    look_at, patience = taken + LOOK_EVERY, TRIAL_STEPS
                if few:
                    last = min(count, taken + patience)
                    few = self.few_atoms.advance(observations[0], codes[0], old[0], taken, last)
                    taken, look_at, patience = last, last + WAIT_AFTER_TRIAL, len(self.weights)
                else:
                    torch.lerp(old, codes, self.weights[taken], out=point)
                    take_gradient_step(point, old)
                    self.shrink(old, self.threshold)
                    old, codes = codes, old
                    taken += 1
            yield codes


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

    def towards(self, observations: Tensor) -> Callable[[Tensor, Tensor], None]:
        """Return a function that writes the codes a step from its first argument into its second.

        Observations are (seed, sample, obs), codes (seed, sample, atom).
        """
        offset = torch.bmm(observations, self.scaled)
        return lambda point, out: torch.baddbmm(offset, point, self.transition, out=out)


class _ResidualStep:
    """z ← z − (z Dᵀ − Y) D/L."""

    def __init__(self, dictionary: Tensor, step: Tensor) -> None:
        self.dictionary = dictionary
        self.scaled = step * dictionary

    def towards(self, observations: Tensor) -> Callable[[Tensor, Tensor], None]:
        """Return a function like that of `_GramStep`."""
        residual = torch.empty_like(observations, memory_format=torch.contiguous_format)

        def take(point: Tensor, out: Tensor) -> None:
            torch.baddbmm(observations, point, self.dictionary.mT, beta=-1, out=residual)
            torch.baddbmm(point, residual, self.scaled, alpha=-1, out=out)

        return take
