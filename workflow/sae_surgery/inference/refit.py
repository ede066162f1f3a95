"""Values for codes whose support is given: least squares, with and without non-negativity.

Supports may have more atoms than observations have dimensions. All arithmetic is in double
precision and one sample after another, on the CPU, so that a sample's codes depend on nothing else.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from sae_surgery.checks import require_match

RIDGE = 1e-8
"""ε of the least squares, the published one."""

KKT_TOLERANCE = 1e-7
"""How far rounding in single precision moves an observation, relative to its norm."""

STEPS_AN_ATOM = 10
"""Steps of the active-set method for each atom of a support; about one is usual."""


@torch.no_grad()
def least_squares_on_support(
    observations: Tensor, dictionary: Tensor, support: Tensor, clamp: bool = False
) -> Tensor:
    """Return the codes with a given support that explain the observations best.

    For a sample y whose support picks the atoms D_S, they are (D_Sᵀ D_S + ε I)⁻¹ D_Sᵀ y, with ε
    `RIDGE`. Where the atoms are dependent, as those of a support larger than y must be, many codes
    explain y equally well, and these are, up to ε, the ones of smallest norm.

    Parameters
    ----------
    observations
        Y (seed, sample, obs).
    dictionary
        D (seed, obs, atom).
    support
        Which codes may differ from zero, (seed, sample, atom), boolean.
    clamp
        Whether negative values are set to zero afterwards, as published. What remains is in general
        not the best non-negative code; see `nnls_on_support`.

    Returns
    -------
    Codes Z (seed, sample, atom), of the type and on the device of the observations.

    Raises
    ------
    ValueError
        If the shapes do not go together, or the support is not boolean.
    """
    from sae_surgery.inference.refit_kernels import least_squares

    codes = _each_seed(partial(least_squares, RIDGE), observations, dictionary, support)
    return codes.clamp_(min=0) if clamp else codes


@torch.no_grad()
def published_least_squares(
    observations: Tensor, dictionary: Tensor, support: Tensor, clamp: bool = True
) -> Tensor:
    """Return least-squares codes by the published arithmetic, negative values clamped to zero.

    It is `least_squares_on_support` with D_Sᵀ D_S and D_Sᵀ y in single precision. For a support
    larger than y that matrix is singular but for its rounding errors, which are larger than ε: the
    codes are then these errors, amplified. They are here because the published scores are theirs.

    Arguments, result and errors are those of `least_squares_on_support`.
    """
    from sae_surgery.inference.refit_kernels import rounded_least_squares

    fit = partial(rounded_least_squares, RIDGE)
    codes = _each_seed(fit, observations, dictionary, support)
    return codes.clamp_(min=0) if clamp else codes


@torch.no_grad()
def nnls_on_support(observations: Tensor, dictionary: Tensor, support: Tensor) -> Tensor:
    """Return the non-negative codes with a given support that explain the observations best.

    Until it is rounded to the type of the observations, the result meets the KKT conditions of
    min ‖y − D z‖² over z ≥ 0 on the support: with r = y − D z, dᵀr ≤ tol ‖d‖ ‖y‖ for each of its
    atoms d, and dᵀr = 0 but for rounding where z is positive; tol is `KKT_TOLERANCE`. If atoms are
    dependent, codes need not be unique, but D z is; the positive ones then belong to independent
    atoms, at most as many as y has dimensions.

    Source: Lawson and Hanson, Solving least squares problems (1974), chapter 23.

    Parameters
    ----------
    observations
        Y (seed, sample, obs).
    dictionary
        D (seed, obs, atom).
    support
        Which codes may differ from zero, (seed, sample, atom), boolean.

    Returns
    -------
    Codes Z (seed, sample, atom), of the type and on the device of the observations.

    Raises
    ------
    ValueError
        If the shapes do not go together, or the support is not boolean.
    RuntimeError
        If a sample takes more than `STEPS_AN_ATOM` steps for each atom of its support.
    """
    from sae_surgery.inference.refit_kernels import non_negative_least_squares

    fit = partial(non_negative_least_squares, KKT_TOLERANCE, STEPS_AN_ATOM)
    return _each_seed(fit, observations, dictionary, support)


def _each_seed(fit: Callable, observations: Tensor, dictionary: Tensor, support: Tensor) -> Tensor:
    """Check the arguments and fit one seed after the other."""
    require_match(observations, dictionary)
    shape = (*observations.shape[:2], dictionary.shape[2])
    if tuple(support.shape) != shape or support.dtype != torch.bool:
        raise ValueError(
            f"support must be boolean with shape {shape}, "
            f"got {support.dtype} with shape {tuple(support.shape)}"
        )
    codes = torch.zeros(shape, dtype=observations.dtype)
    for of_seed in zip(observations, dictionary, support, codes, strict=True):
        y, atoms, active, fitted = (values.cpu() for values in of_seed)
        y, columns = y.double().contiguous(), atoms.double().contiguous()
        rows = columns.T.contiguous()
        fit(y.numpy(), columns.numpy(), rows.numpy(), active.contiguous().numpy(), fitted.numpy())
    return codes.to(observations.device)
