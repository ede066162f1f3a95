"""New values for sparse codes whose support is kept: least squares, or some steps towards them.

What `refit` does for dense codes, without a dense array anywhere: entries in, entries out. All
arithmetic is in double precision, one sample after another, so that a sample's codes depend on
nothing else. The dictionary may have columns of any length.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from sae_surgery.checks import require_count
from sae_surgery.inference.exact import require_problem
from sae_surgery.inference.sparse import SparseCodes


@torch.no_grad()
def refit_sparse(
    observations: Tensor, dictionary: Tensor, codes: SparseCodes, non_negative: bool = True
) -> SparseCodes:
    """Return the codes on the same support that explain the observations best.

    They minimise ‖y − D z‖² over the z that are zero outside the support, and at or above zero
    where they are to be non-negative: then dᵀr ≤ 1e-7 ‖d‖ ‖y‖ for each atom d of the support, and
    dᵀr = 0 but for rounding where z is positive. Atoms that depend on the others of a support may
    get a value of zero. It starts from the values given, and is fast where few change sign.

    Source: Lawson and Hanson, Solving least squares problems (1974), chapter 23.

    Parameters
    ----------
    observations
        Y (seed, sample, obs), in single or double precision.
    dictionary
        D (seed, obs, atom), of the same type.
    codes
        Codes whose entries are the support, one that is zero or negative included.
    non_negative
        Whether values are kept at or above zero.

    Returns
    -------
    Codes, of which values that are zero have been taken out.

    Raises
    ------
    ValueError
        If shapes or types do not go together, or a number is not finite.
    """
    from sae_surgery.inference.refit_sparse_kernels import fit

    def refit(*problem) -> None:
        fit(*problem, non_negative)

    return _each_seed(refit, observations, dictionary, codes)


@torch.no_grad()
def refit_by_gradient(
    observations: Tensor, dictionary: Tensor, codes: SparseCodes, n_steps: int
) -> SparseCodes:
    """Return codes on the same support after steps of projected gradient: less shrinkage.

    Each step is z ← max(z − ∇/L, 0), from the values given, with ∇ the gradient of ½‖y − D z‖² on
    the support and L the largest sum of magnitudes in a row of its Gram matrix, which is at least
    its largest eigenvalue. With many steps it tends to `refit_sparse`.

    Parameters
    ----------
    n_steps
        Number of steps; 0 only sets negative values to zero. The other parameters, result and
        errors are those of `refit_sparse`.
    """
    from sae_surgery.inference.refit_sparse_kernels import shrink_less

    require_count(n_steps=n_steps)

    def refit(*problem) -> None:
        shrink_less(*problem, n_steps)

    return _each_seed(refit, observations, dictionary, codes)


def _each_seed(
    refit: Callable, observations: Tensor, dictionary: Tensor, codes: SparseCodes
) -> SparseCodes:
    """Check the arguments, refit one seed after the other, and leave out what is zero."""
    require_problem(observations, dictionary)
    codes.require_match(observations, dictionary)
    values = codes.values.cpu().clone()
    atoms = codes.atoms.cpu().contiguous()
    first = 0
    for seed, counts in enumerate(codes.counts.cpu()):
        entries = slice(first, first + int(counts.sum()))
        first = entries.stop
        rows = dictionary[seed].cpu().T.contiguous().numpy()
        y = observations[seed].cpu().double().contiguous().numpy()
        found = values[entries].numpy()
        refit(rows, y, counts.contiguous().numpy(), atoms[entries].numpy(), found)
    return codes.with_values(values.to(codes.values.device))
