"""Which code column stands for which latent: paired in distribution, and kept.

Latents that are active in distribution are paired one to one with columns of the codes, all of
them, so that |Pearson correlation| sums to the most. Nothing is padded: a latent without a partner
counts as not recovered. Out of distribution pairs keep their sign too, so that a column that turns
about counts against.
"""

from typing import NamedTuple

import numpy as np

from sae_surgery.metrics.measures.bootstrap import groups
from sae_surgery.metrics.measures.matching import SMALLEST_NORM, correlation, match

SMALLEST_VARIANCE = 1e-8
"""A latent is active in a split where its variance exceeds this."""
FEWEST_SAMPLES = 3
"""Of fewer samples, any two columns correlate fully: correlations are not defined."""


class Pairing(NamedTuple):
    """Pairs of latent and code column."""

    latents: np.ndarray
    """Latent of each pair (pair,), ascending."""
    columns: np.ndarray
    """Code column of each pair (pair,)."""
    signs: np.ndarray
    """Sign of each pair's correlation (pair,), 1 or -1."""

    def among(self, latents: np.ndarray) -> "Pairing":
        """Return the pairs of these latents (latent,)."""
        chosen = np.isin(self.latents, latents)
        return Pairing(*(part[chosen] for part in self))


def pair(true: np.ndarray, codes: np.ndarray) -> Pairing:
    """Pair the latents that are active, if any, with columns of the codes.

    Parameters
    ----------
    true
        True codes (sample, latent).
    codes
        Inferred codes (sample, atom).

    Raises
    ------
    ValueError
        If the numbers of samples differ, or codes are not finite.
    """
    active = active_latents(true)
    correlations = correlation(take_columns(true, active), codes)
    rows, columns = match(np.abs(correlations))
    signs = np.where(correlations[rows, columns] < 0, -1.0, 1.0)
    return Pairing(active[rows], columns, signs)


def take_columns(matrix: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return ascending columns (column,) of a matrix; the matrix itself if these are all.

    Unlike indexing, this keeps rows in one piece; loops run along them.
    """
    everything = len(columns) == matrix.shape[1]
    return matrix if everything else matrix.take(columns, axis=1)


def active_latents(true: np.ndarray) -> np.ndarray:
    """Return the latents (latent,) that vary in true codes (sample, latent)."""
    return np.flatnonzero(true.var(axis=0) > SMALLEST_VARIANCE)


class Recovery(NamedTuple):
    """Products of paired columns, summed over groups of samples, and what they are divided by."""

    sums: np.ndarray
    """Samples, x, y, x², y² and x y (group, 6, pair) of latents x and signed code columns y."""
    n_active: int
    """Latents active in the split, with a partner or without."""


def recovery(true: np.ndarray, codes: np.ndarray, pairing: Pairing) -> Recovery:
    """Compare pairs in a split; those whose latent is not active there are left out.

    Parameters are those of `pair`, of any split.
    """
    active = active_latents(true)
    latents, columns, signs = pairing.among(active)
    # Means are taken off so that the sums of squares lose no digits.
    x_mean = true.mean(axis=0)[latents]
    y_mean = codes.mean(axis=0, dtype=np.float64)[columns]
    sums = []
    for samples in groups(len(true)):
        x = true[samples][:, latents] - x_mean
        y = (codes[samples][:, columns] - y_mean) * signs
        count = np.full(len(latents), float(len(x)))
        products = (x * x).sum(0), (y * y).sum(0), (x * y).sum(0)
        sums.append([count, x.sum(0), y.sum(0), *products])
    return Recovery(np.array(sums), len(active))


def mean_correlation(sums: np.ndarray, n_active: int) -> np.ndarray:
    """Return the mean correlation coefficient (MCC), (…,).

    It is NaN, not defined, if no latent is active or samples are fewer than `FEWEST_SAMPLES`.

    Parameters
    ----------
    sums
        The sums of `Recovery`, summed over groups, (…, 6, pair).
    n_active
        Number of active latents; those without a partner count as zero.
    """
    count, x, y, xx, yy, xy = np.moveaxis(sums, -2, 0)
    if n_active == 0:
        return np.full(sums.shape[:-2], np.nan)
    x_square, y_square = xx - x * x / count, yy - y * y / count
    smallest = SMALLEST_NORM**2
    defined = (x_square > smallest) & (y_square > smallest)
    norms = np.sqrt(np.where(defined, x_square * y_square, 1.0))
    mean = np.where(defined, (xy - x * y / count) / norms, 0.0).sum(-1) / n_active
    return np.where((count < FEWEST_SAMPLES).any(-1), np.nan, mean)
