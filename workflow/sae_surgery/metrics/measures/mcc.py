"""Mean correlation coefficient (MCC) under the published protocol.

True and inferred columns are paired one to one by |Pearson correlation|; the MCC is the mean over
all pairs (Hyvärinen & Morioka 2016, arXiv 1605.06336). Latents that never vary in the split leave
the true side. Where the two sides then differ in width, the narrower one is filled up with N(0, 1)
columns, whose chance correlations count in the mean: that is how the published numbers were made.
"""

import numpy as np

from sae_surgery.metrics.measures.matching import correlation, match
from sae_surgery.metrics.measures.pairing import FEWEST_SAMPLES, active_latents, take_columns

PADDING_SEED = 42


def mcc_id(true: np.ndarray, codes: np.ndarray) -> float:
    """Return the in-distribution MCC: active latents against all columns of the codes.

    It is NaN, not defined, if no latent varies or samples are fewer than `FEWEST_SAMPLES`.

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
    return _mean_matched(_active(true), codes)


def mcc_ood(true: np.ndarray, codes: np.ndarray) -> float:
    """Return the out-of-distribution MCC: active latents against as many columns of the codes.

    The columns of largest variance are taken. Parameters and errors are those of `mcc_id`.
    """
    active = _active(true)
    by_variance = np.argsort(-codes.var(axis=0))
    return _mean_matched(active, codes.take(by_variance[: active.shape[1]], axis=1))


def _active(true: np.ndarray) -> np.ndarray:
    return take_columns(true, active_latents(true))


def _mean_matched(true: np.ndarray, codes: np.ndarray) -> float:
    if not true.shape[1] or len(true) < FEWEST_SAMPLES:
        return np.nan
    width = max(true.shape[1], codes.shape[1])
    similarity = correlation(_padded(true, width), _padded(codes, width))
    np.abs(similarity, out=similarity)
    return float(similarity[match(similarity)].mean())


def _padded(columns: np.ndarray, width: int) -> np.ndarray:
    """Fill up with noise on the right, the same noise for every method and seed."""
    n_samples, present = columns.shape
    if present == width:
        return columns
    noise = np.random.RandomState(PADDING_SEED).normal(0, 1, (n_samples, width - present))
    return np.hstack([columns, noise])
