"""Codes for a given dictionary that solve the lasso, by the solver that a configuration names.

The problem, not a setting, decides whether they are non-negative: F(z) = ½‖y − D z‖² + λ‖z‖₁ is
minimised over z ≥ 0 where latents are non-negative, over all z where a problem is `signed`.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from sae_surgery.checks import (
    require_between,
    require_count,
    require_non_negative,
    require_positive,
)
from sae_surgery.inference.exact import LARGEST, LassoSolution, exact_lasso, exact_path
from sae_surgery.inference.fista import duality_gap, fista, lasso_objective, lasso_path
from sae_surgery.inference.layout import pad_codes, pad_dictionary, pad_observations
from sae_surgery.inference.sparse import SparseCodes

SOLVERS = ("fista", "exact")

GAP_DIAGNOSTICS = {
    "largest_gap": "largest duality gap of a sample's codes, relative to its objective",
    "share_missed": "share of samples whose relative duality gap is above the tolerance",
}
"""Long names of what `gap_diagnostics` returns."""


def require_solver(solver: str, tolerance: float) -> None:
    """Raise ValueError unless there is such a solver and the tolerance is positive."""
    if solver not in SOLVERS:
        raise ValueError(f"solver must be one of {', '.join(SOLVERS)}, got {solver!r}")
    require_positive(tolerance=tolerance)


def require_penalty(solver: str, **values: float) -> None:
    """Raise ValueError unless each λ of `values`, given by name, is one that a solver can take."""
    exact = solver == "exact"
    (require_positive if exact else require_non_negative)(**values)
    require_between(1 / LARGEST if exact else 0, LARGEST, **values)


@dataclass(frozen=True)
class LassoSettings:
    """Settings of sparse inference; the defaults are the paper's.

    Raises
    ------
    ValueError
        If a value is out of range.
    """

    lam: float = 0.1
    """λ, weight of the l1 norm; positive for the exact solver."""
    n_iter: int = 100
    """Iterations of FISTA."""
    solver: str = "fista"
    """`fista`, or `exact` for codes with a certificate."""
    tolerance: float = 1e-6
    """Duality gap, relative to the objective, above which a sample counts as not solved."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        require_count(n_iter=self.n_iter)
        require_solver(self.solver, self.tolerance)
        require_penalty(self.solver, lam=self.lam)


class Inferred(NamedTuple):
    """Codes, and how good they are."""

    codes: Tensor
    """Z (seed, sample, atom)"""
    measure_gap: Callable[[], Tensor]
    """Returns the duality gap relative to the objective, (seed, sample); that of the exact solver
    is from before codes were rounded."""


@torch.no_grad()
def infer(
    observations: Tensor,
    dictionary: Tensor,
    settings: LassoSettings,
    start: Tensor | None = None,
    non_negative: bool = True,
) -> Inferred:
    """Infer codes of observations (seed, sample, obs) for a dictionary (seed, obs, atom).

    `start` are codes to start from, zeros if not given; `non_negative` says whether codes are kept
    at or above zero. Samples that the exact solver leaves above the tolerance are reported on
    standard error.
    """
    lam = settings.lam
    if settings.solver == "fista":
        codes = fista(observations, dictionary, lam, settings.n_iter, start, non_negative)
        gap = partial(_relative_gap, observations, dictionary, codes, lam, non_negative)
        return Inferred(codes, gap)
    packed = None if start is None else SparseCodes.pack(start)
    solution = exact_lasso(
        observations, dictionary, lam, packed, non_negative, tolerance=settings.tolerance
    )
    return certified(solution, f"lambda {lam:g}", observations.dtype)


@torch.no_grad()
def infer_path(
    observations: Tensor,
    dictionary: Tensor,
    lams: Sequence[float],
    settings: LassoSettings,
    non_negative: bool = True,
) -> Iterator[tuple[float, Inferred]]:
    """Yield λ and its codes, from the largest to the smallest, each starting from those before.

    Arguments as for `infer`, but that several λ take the place of the one of the settings.
    """
    if settings.solver == "fista":
        path = lasso_path(observations, dictionary, lams, settings.n_iter, non_negative)
        for lam, codes in path:
            gap = partial(_relative_gap, observations, dictionary, codes, lam, non_negative)
            yield lam, Inferred(codes, gap)
    else:
        path = exact_path(
            observations, dictionary, lams, non_negative, tolerance=settings.tolerance
        )
        for lam, solution in path:
            yield lam, certified(solution, f"lambda {lam:g}", observations.dtype)


def gap_diagnostics(inferred: Mapping[str, Inferred], tolerance: float) -> dict[str, Tensor]:
    """Return the diagnostics (seed,) of codes, given by split; see `GAP_DIAGNOSTICS`."""
    gap = torch.cat([part.measure_gap() for part in inferred.values()], 1)
    missed = ~(gap <= tolerance)
    return {"largest_gap": gap.amax(1), "share_missed": missed.double().mean(1)}


def _relative_gap(
    observations: Tensor, dictionary: Tensor, codes: Tensor, lam: float, non_negative: bool
) -> Tensor:
    """Return the gaps (seed, sample) of codes, which are at least zero but for rounding."""
    n_samples = observations.shape[1]
    problem = pad_observations(observations), pad_dictionary(dictionary), pad_codes(codes)
    gap = duality_gap(*problem, lam, non_negative)[:, :n_samples].clamp(min=0)
    objective = lasso_objective(*problem, lam)[:, :n_samples]
    return torch.where(objective == 0, 0, gap / objective).double()


def certified(solution: LassoSolution, penalty: str, dtype: torch.dtype) -> Inferred:
    """Write out an exact solution, and tell standard error of the samples for which it is none."""
    if solution.missed.any():
        print(
            f"exact solver, {penalty}: {int(solution.missed.sum())} of "
            f"{solution.missed.numel()} samples miss the relative duality gap of "
            f"{solution.tolerance:g}; the largest is {solution.gap.max().item():.1e}",
            file=sys.stderr,
        )
    return Inferred(solution.dense(dtype), lambda: solution.gap)
