"""Verdicts on pairs of numbers, from tests whose limits are stated beforehand.

Means over seeds agree where two one-sided t tests both reject that they are a margin or more apart
(Schuirmann 1987, doi:10.1007/BF01068419). They differ where a two-sided t test rejects that they
are a margin or less apart (Hodges and Lehmann 1954, doi:10.1111/j.2517-6161.1954.tb00169.x): both
tails count, since a difference may leave the margin on either side. Where neither does, there are
too few seeds to tell. Degrees of freedom after Welch are approximate: where three seeds meet eight,
a level of 0.05 is one of 0.057.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import stdtr

AGREES, DIFFERS, UNDECIDED = "agrees", "differs", "undecided"


class Difference(NamedTuple):
    """Differences of means, with what a t test needs; all arrays are of one shape."""

    value: np.ndarray
    error: np.ndarray
    """Standard error; NaN where there are too few seeds for one."""
    freedom: np.ndarray
    """Degrees of freedom."""


class Sample(NamedTuple):
    """Statistics over seeds; all arrays are of one shape."""

    mean: np.ndarray
    sd: np.ndarray
    """Population standard deviation (ddof 0)."""
    n: np.ndarray
    """Number of seeds."""


def unpaired(published: Sample, reproduced: Sample) -> Difference:
    """Return the difference reproduced − published of independent seeds (Welch 1947)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [_squared_error(side) for side in (published, reproduced)]
        total = parts[0] + parts[1]
        inverse = sum(
            (part / total) ** 2 / (side.n - 1)
            for part, side in zip(parts, (published, reproduced), strict=True)
        )
        freedom = 1 / inverse
    return Difference(reproduced.mean - published.mean, np.sqrt(total), freedom)


def paired(differences: Sample) -> Difference:
    """Return the mean of differences reproduced − published seed by seed."""
    error = np.sqrt(_squared_error(differences))
    return Difference(differences.mean, error, np.asarray(differences.n) - 1.0)


def _squared_error(side: Sample) -> np.ndarray:
    """Return the squared standard error of a mean, NaN for fewer than two seeds."""
    n = np.where(np.asarray(side.n) > 1, side.n, np.nan)
    return np.asarray(side.sd) ** 2 / (n - 1)


def equivalence(difference: Difference, margin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the p values of being closer than a margin, and of being farther apart.

    The second is the probability, where the true difference is the margin, of one at least as far
    from zero on either side. Where the standard error is zero they are 0 or 1; where it is unknown
    they are NaN.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        beyond = np.abs(difference.value) - margin
        near, far = beyond / difference.error, (beyond + 2 * margin) / difference.error
        tails = stdtr(difference.freedom, -near) + stdtr(difference.freedom, -far)
        varies = difference.error > 0
        closer = np.where(varies, stdtr(difference.freedom, near), beyond > 0)
        farther = np.where(varies, tails, beyond <= 0)
    unknown = np.isnan(difference.error)
    return np.where(unknown, np.nan, closer), np.where(unknown, np.nan, farther)


def verdict_of_test(closer: np.ndarray, farther: np.ndarray, alpha: float) -> np.ndarray:
    """Return the verdict of `equivalence` at the level `alpha`."""
    return np.select([closer <= alpha, farther <= alpha], [AGREES, DIFFERS], UNDECIDED)


def verdict_of_distance(within: np.ndarray) -> np.ndarray:
    """Return the verdict on numbers that must lie within their limit of one another."""
    return np.where(within, AGREES, DIFFERS)
