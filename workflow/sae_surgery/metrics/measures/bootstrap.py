"""Percentile intervals by the bootstrap, over samples or over seeds.

Samples are resampled in groups, for which a statistic's sums are kept: independent samples make
independent groups, and a resample costs no more than a weighted sum over groups, whatever the
number of samples. Source: Efron and Tibshirani, An introduction to the bootstrap (1993), chapter
13.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

N_GROUPS = 100
"""Groups that samples are resampled in."""
N_RESAMPLES = 500
AT_ONCE = 50
"""Resamples that are computed together."""
LEVEL = 0.95
"""Share of the resamples within an interval."""
SEED = 0

_TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)


def groups(n_samples: int) -> list[slice]:
    """Return `N_GROUPS` runs of samples of about the same size, or as many as there are samples."""
    bounds = np.linspace(0, n_samples, min(N_GROUPS, n_samples) + 1).round().astype(int)
    return [slice(start, stop) for start, stop in pairwise(bounds.tolist())]


def interval(
    sums: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray]
) -> tuple[float, float]:
    """Return the ends of the interval that holds `LEVEL` of the resampled statistics.

    Parameters
    ----------
    sums
        What the statistic is made of, summed over each group (group, …).
    statistic
        From sums over groups (resample, …), the statistics (resample,).
    """
    drawn = []
    for weights in np.array_split(_weights(len(sums)), N_RESAMPLES // AT_ONCE):
        drawn.append(statistic(np.tensordot(weights, sums, 1)))
    return _ends(np.concatenate(drawn))


def interval_of_pairs(
    pairs: np.ndarray, statistic: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> tuple[float, float]:
    """Return what `interval` does of a statistic that is a sum over pairs of samples.

    Parameters
    ----------
    pairs
        Sums over the pairs of each two groups (group, group).
    statistic
        From the sums of resamples (resample,) and the weights (resample, group) that groups have
        in them, the statistics (resample,).
    """
    weights = _weights(len(pairs))
    return _ends(statistic(np.einsum("rg,gh,rh->r", weights, pairs, weights), weights))


def intervals_of_means(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends (…,) of what `interval` does, of the means of a few values (…, value) each.

    Of three values it is a range rather than an interval: 95 % cannot be resolved.
    """
    means = values @ _weights(values.shape[-1]).T / values.shape[-1]
    low, high = np.quantile(means, _TAILS, axis=-1)
    return low, high


def _weights(n_groups: int) -> np.ndarray:
    """Return how often each group is drawn, (resample, group)."""
    drawn = np.random.default_rng(SEED)
    shares = np.full(n_groups, 1 / n_groups)
    return drawn.multinomial(n_groups, shares, N_RESAMPLES).astype(np.float64)


def _ends(statistics: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(statistics, _TAILS)
    return float(low), float(high)
