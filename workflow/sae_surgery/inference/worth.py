"""How many iterations of FISTA an encoder's codes are worth, and what iterations make of them.

For a penalty λ, the mean over samples of the objective ½‖y − D z‖² + λ‖z‖₁ and of the squared error
‖y − D z‖² are followed iteration by iteration, from zeros and from the encoder's codes. The codes
are worth the first number of iterations from zeros after which the mean is at most theirs; that of
the objective asks for the same trade between error and size, that of the error for the error alone.

Codes are dense for one block of samples at a time only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

import torch
from torch import Tensor

from sae_surgery.checks import require_positive, require_positive_integer
from sae_surgery.inference.exact import require_problem
from sae_surgery.inference.fista import Descent, momentum_weights
from sae_surgery.inference.layout import pad_codes, pad_dictionary, pad_observations
from sae_surgery.inference.sparse import SparseCodes

BLOCK_ELEMENTS, MOST_SAMPLES = 2**23, 256
"""Codes written out at once, and samples of a block at most."""


@dataclass(frozen=True)
class Curve:
    """Means over all samples of all seeds, by the number of iterations, from 0 on."""

    objective: Tensor
    """½‖y − D z‖² + λ‖z‖₁, (iteration,), float64"""
    squared_error: Tensor
    """‖y − D z‖², (iteration,), float64"""
    n_active: Tensor
    """Number of active atoms, (iteration,), float64"""


@dataclass(frozen=True)
class Worth:
    """What codes are worth in iterations."""

    lam: float
    """λ"""
    from_zeros: Curve
    from_codes: Curve
    """Its first entries are those of the codes themselves."""
    codes: SparseCodes
    """The codes after the last iteration from them"""

    @property
    def by_objective(self) -> int | None:
        """Iterations from zeros until the objective is that of the codes, None if more are needed.

        0 says that codes of zero are as good.
        """
        return _first_at_most(self.from_zeros.objective, float(self.from_codes.objective[0]))

    @property
    def by_squared_error(self) -> int | None:
        """Iterations from zeros until the squared error is that of the codes, likewise."""
        return _first_at_most(
            self.from_zeros.squared_error, float(self.from_codes.squared_error[0])
        )


@torch.no_grad()
def iterations_worth(
    observations: Tensor,
    dictionary: Tensor,
    codes: SparseCodes,
    lam: float,
    max_iterations: int = 50,
) -> Worth:
    """Follow FISTA from zeros and from given codes; see the head of this file.

    An iteration costs 6 · obs · atom operations a sample from either start, looking included.

    Parameters
    ----------
    observations
        Y (seed, sample, obs).
    dictionary
        D (seed, obs, atom), of the same type and on the same device.
    codes
        An encoder's codes; negative ones are set to zero by the first iteration.
    lam
        λ, such as that of `lasso_at_l0` for the codes' own number of active atoms.
    max_iterations
        How many iterations are taken.

    Raises
    ------
    ValueError
        If shapes or types do not go together, or a number is out of range.
    """
    require_problem(observations, dictionary)
    codes.require_match(observations, dictionary)
    require_positive(lam=lam)
    require_positive_integer(max_iterations=max_iterations, n_samples=observations.shape[1])
    sums = torch.zeros(2, 3, max_iterations + 1, dtype=torch.float64)
    last = []
    for seed, (y, atoms) in enumerate(zip(observations, dictionary, strict=True)):
        padded = pad_dictionary(atoms[None])
        weights = list(islice(chain([1.0], momentum_weights()), max_iterations))
        descent = Descent(padded, lam, True, weights)
        for block, start in _blocks(codes, seed, observations.dtype):
            seen = pad_observations(y[None, block])
            for sum_of, begin in zip(sums, (torch.zeros_like(start), start), strict=True):
                counts = range(max_iterations + 1)
                for count, z in enumerate(descent.iterate(seen, pad_codes(begin), counts)):
                    sum_of[:, count] += _look(seen, padded, z, lam)
            last.append(SparseCodes.pack(z[:, : start.shape[1], : codes.n_atoms]))
    means = sums / codes.counts.numel()
    curves = (Curve(*mean) for mean in means)
    return Worth(lam, *curves, _joined(last, codes))


def _blocks(codes: SparseCodes, seed: int, dtype: torch.dtype) -> Iterator[tuple[slice, Tensor]]:
    """Yield blocks of a seed's samples and their codes (1, sample, atom)."""
    counts, atoms, values = codes.of_seed(seed)
    edges = [0, *counts.cumsum(0).tolist()]
    size = max(1, min(MOST_SAMPLES, BLOCK_ELEMENTS // codes.n_atoms))
    for first in range(0, len(counts), size):
        block = slice(first, min(first + size, len(counts)))
        entries = slice(edges[block.start], edges[block.stop])
        part = SparseCodes(counts[None, block], atoms[entries], values[entries], codes.n_atoms)
        yield block, part.dense(dtype)


def _look(observations: Tensor, dictionary: Tensor, codes: Tensor, lam: float) -> Tensor:
    """Return the sums over samples of objective, squared error and active atoms, (3,), float64."""
    residual = torch.baddbmm(observations, codes, dictionary.mT, beta=-1)
    squared = residual.double().square().sum()
    size = codes.abs().sum(2, dtype=torch.float64).sum()
    return torch.stack([squared / 2 + lam * size, squared, codes.count_nonzero().double()]).cpu()


def _joined(parts: list[SparseCodes], like: SparseCodes) -> SparseCodes:
    """Return the codes of all blocks of all seeds."""
    counts = torch.cat([part.counts[0] for part in parts]).view_as(like.counts)
    atoms, values = (
        torch.cat([getattr(part, name) for part in parts]) for name in ("atoms", "values")
    )
    return SparseCodes(counts, atoms, values, like.n_atoms)


def _first_at_most(values: Tensor, bound: float) -> int | None:
    reached = (values <= bound).nonzero()
    return int(reached[0]) if len(reached) else None
