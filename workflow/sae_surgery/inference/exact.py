"""Exact codes for a given dictionary: the lasso solved to a certified duality gap.

For each observation y, with atoms d_j as the columns of D and weights w_j > 0,

    minimise over z   P(z) = ½‖y − D z‖² + Σ_j w_j |z_j|,   z ≥ 0 where codes are non-negative.

Few codes differ from zero, and the method works on those alone. Each sample has a set S of atoms
with the exact minimum on them. In a round, all samples' residuals r are correlated with all atoms,
as one matrix product in single precision; a sample whose codes are optimal is done, and the others
let the atoms into S that violate optimality most, and out of it those that turn zero. A round
lowers P, so that no S comes back and rounds are finitely many; a handful is usual.

What is optimal is decided in double precision. With c = Dᵀr and s = min(1, min_j w_j / c_j), or
|c_j| where codes are signed, s r is feasible for the dual problem, and the gap between primal and
dual objective is

    ½(1 − s)²‖r‖² + Σ_j |z_j| (w_j − s sign(z_j) c_j),

a sum of terms that are not negative, and so without cancellation. An atom enters s with its
correlation in double precision, or, where it is far from violation, with a bound of the rounding
errors of the single one.

Sources: active sets as in Lawson and Hanson, Solving least squares problems (1974), chapter 23;
the gap as in Fercoq, Gramfort and Salmon, Mind the duality gap, ICML 2015.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sae_surgery.checks import (
    require_match,
    require_non_negative,
    require_positive,
    require_positive_integer,
)
from sae_surgery.inference.sparse import SparseCodes

TOLERANCE = 1e-6
"""Default of the largest duality gap allowed, relative to the objective."""

MAX_ROUNDS = 1000
"""Default of the number of rounds after which a sample is given up."""


LARGEST = 1e30
"""No number, and no weight's reciprocal, may be larger: products are in single precision."""


@dataclass(frozen=True)
class LassoSolution(SparseCodes):
    """Codes and their certificates."""

    gap: Tensor
    """Duality gap relative to the objective (seed, sample); it bounds (P(z) − min P) / P(z)"""
    n_rounds: Tensor
    """How many times all atoms were looked at, (seed, sample)"""
    tolerance: float
    """The relative gap asked for"""

    @property
    def missed(self) -> Tensor:
        """Which samples miss the tolerance, (seed, sample)."""
        return ~(self.gap <= self.tolerance)


@torch.no_grad()
def exact_lasso(
    observations: Tensor,
    dictionary: Tensor,
    weights: float | Tensor,
    start: SparseCodes | None = None,
    non_negative: bool = True,
    tolerance: float = TOLERANCE,
    max_rounds: int = MAX_ROUNDS,
) -> LassoSolution:
    """Infer codes that minimise the objective at the head of this file.

    A seed's codes do not depend on the seeds beside it nor on the number of threads; in their last
    bits they may depend on the other samples of the seed.

    Parameters
    ----------
    observations
        Y (seed, sample, obs), in single or double precision.
    dictionary
        D (seed, obs, atom), of the same type and on the same device.
    weights
        λ, or w (seed, atom); positive.
    start
        Codes to start from; zeros if not given. Those for a dictionary, weights or observations
        that differ little save most of the work.
    non_negative
        Whether codes are kept at or above zero.
    tolerance
        Largest duality gap allowed, relative to the objective.
    max_rounds
        After so many rounds a sample that misses the tolerance is left as it is.

    Returns
    -------
    Codes, each with its certificate. Samples that miss the tolerance are in `missed`.

    Raises
    ------
    ValueError
        If shapes or types do not go together, or a number or setting is out of range. A weight of
        zero is: a residual that correlates with its atom at all can then not be made feasible.
    """
    weights = _checked_weights(observations, dictionary, weights)
    require_non_negative(tolerance=tolerance)
    require_positive_integer(max_rounds=max_rounds, n_samples=observations.shape[1])
    if start is not None:
        start.require_match(observations, dictionary, "start")
    if observations.is_cuda:
        from sae_surgery.inference.exact_batched import solve
    else:
        from sae_surgery.inference.exact_blocks import solve
    solved = [
        solve(
            observations[seed],
            dictionary[seed],
            weights[seed],
            None if start is None else start.of_seed(seed),
            non_negative,
            tolerance,
            max_rounds,
        )
        for seed in range(len(observations))
    ]
    counts, atoms, values, gap, n_rounds = zip(*solved, strict=True)
    return LassoSolution(
        torch.stack(counts),
        torch.cat(atoms),
        torch.cat(values),
        dictionary.shape[2],
        torch.stack(gap),
        torch.stack(n_rounds),
        tolerance,
    )


def exact_path(
    observations: Tensor,
    dictionary: Tensor,
    lams: Sequence[float],
    non_negative: bool = True,
    tolerance: float = TOLERANCE,
    max_rounds: int = MAX_ROUNDS,
) -> Iterator[tuple[float, LassoSolution]]:
    """Infer codes for several λ by `exact_lasso`, each starting from those of the next larger λ.

    Yields
    ------
    λ and its codes, from the largest λ to the smallest. `lams` may come in any order; the other
    arguments and the errors are those of `exact_lasso`.
    """
    solution = None
    for lam in sorted(lams, reverse=True):
        solution = exact_lasso(
            observations, dictionary, lam, solution, non_negative, tolerance, max_rounds
        )
        yield lam, solution


def require_problem(observations: Tensor, dictionary: Tensor) -> None:
    """Raise ValueError unless both go together and are finite."""
    require_match(observations, dictionary)
    types = observations.dtype, dictionary.dtype
    if types not in ((torch.float32,) * 2, (torch.float64,) * 2):
        raise ValueError(
            "observations and dictionary must both be float32 or both float64, "
            f"got {types[0]} and {types[1]}"
        )
    for name, values in (("observations", observations), ("dictionary", dictionary)):
        low, high = values.aminmax() if values.numel() else (values.new_zeros(()),) * 2
        # Written so that NaN fails, too.
        if not (low >= -LARGEST and high <= LARGEST):
            raise ValueError(f"{name} must be finite, at most {LARGEST:g} in magnitude")


def _checked_weights(observations: Tensor, dictionary: Tensor, weights: float | Tensor) -> Tensor:
    """Return the weights (seed, atom) in double precision, having checked all that is given."""
    require_problem(observations, dictionary)
    shape = len(dictionary), dictionary.shape[2]
    if not isinstance(weights, Tensor):
        require_positive(weights=weights)
        weights = torch.tensor(weights, dtype=torch.float64).expand(shape)
    if tuple(weights.shape) != shape:
        raise ValueError(f"weights must have shape {shape}, got {tuple(weights.shape)}")
    if not ((weights >= 1 / LARGEST) & (weights <= LARGEST)).all():
        allowed = f"from {1 / LARGEST:g} to {LARGEST:g}"
        raise ValueError(f"weights must be {allowed}, got {weights.min().item():g} as the least")
    return weights.to(dictionary.device, torch.float64)
