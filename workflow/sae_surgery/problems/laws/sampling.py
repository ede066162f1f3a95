"""Drawing a cell: dictionary, sparse codes and observations, the same bits as the published data.

Everything random about one seed comes from one *stream*, a legacy Mersenne Twister
(`numpy.random.RandomState`, whose output numpy has frozen). The order of the draws is therefore
part of the data's definition: the dictionary, then sample by sample.
"""

import numpy as np
from numpy.random import Generator, RandomState
from numpy.typing import NDArray
from scipy.sparse import csr_array

from sae_surgery.problems.laws.sizes import PaperSizes

GOLDEN_RATIO = (1 + 5**0.5) / 2


def draw_dictionary(cell: PaperSizes, stream: RandomState) -> NDArray[np.float64]:
    """Draw A, the first thing to come from a stream.

    Entries are standard normal, columns are then scaled in place: at 10⁶ latents a second matrix of
    that size would be felt. Norms are one, or `spread_norms` where the cell has a ratio of them.

    Returns
    -------
    ndarray of float64, shape (obs, latent)
    """
    dictionary = stream.normal(0, 1, (cell.obs_dim, cell.n_latents))
    # Row by row, these are the bits of np.linalg.norm(dictionary, axis=0).
    squared_norms = np.zeros(cell.n_latents)
    for row in dictionary:
        squared_norms += row * row
    dictionary /= np.sqrt(squared_norms)
    if cell.norm_ratio > 1:
        dictionary *= spread_norms(cell.n_latents, cell.norm_ratio)
    return dictionary


def spread_norms(n_latents: int, ratio: float) -> NDArray[np.float64]:
    """Return norms (latent,) whose logarithms fill the range that a ratio allows around 0.

    They go by the latent's number times the golden ratio, modulo 1, and so are spread alike among
    any neighbours: the pools of in and out of distribution do not differ in them.
    """
    places = np.arange(n_latents) * GOLDEN_RATIO % 1
    return ratio ** (places - 0.5)


def draw_codes(
    cell: PaperSizes, n_id: int, n_ood: int, stream: RandomState | Generator
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Draw the sparse codes, from a stream that has given the dictionary or one of another kind.

    Of the samples, `n_id` are in distribution and come first, `n_ood` out of distribution.

    In distribution a fair coin says whether latent 0 is active. If so, the other active latents
    come from the first half; if not, all come from anywhere but latent 0. Out of distribution
    latent 0 is always active and the others come from the second half, so that none of these pairs
    has been seen before.

    Returns
    -------
    support : ndarray of int32, shape (sample, active)
        Indices of the active latents in the order drawn; samples in the order train, val, ood.
    magnitude : ndarray of float64, shape (sample, active)
        Their values, uniform in [0, 1).
    """
    n_drawn = n_id + n_ood
    support = np.zeros((n_drawn, cell.k), np.int32)
    magnitude = np.empty((n_drawn, cell.k))
    start_of_ood_pool = cell.n_latents - cell.n_ood_pool
    for row in range(n_drawn):
        if row >= n_id:
            support[row, 1:] = _choose(stream, start_of_ood_pool, cell.n_latents, cell.k - 1)
        elif stream.binomial(1, 0.5):
            support[row, 1:] = _choose(stream, 1, start_of_ood_pool, cell.k - 1)
        else:
            support[row] = _choose(stream, 1, cell.n_latents, cell.k)
        magnitude[row] = stream.uniform(0, 1, cell.k)
    return support, magnitude


def _choose(stream: RandomState | Generator, start: int, stop: int, size: int) -> NDArray[np.int64]:
    """Choose from range(start, stop); a RandomState shuffles all of it, even for a size of 0."""
    return start + stream.choice(stop - start, size, replace=False)


def observe(
    dictionary: NDArray[np.float64], support: NDArray[np.int32], magnitude: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mix the active atoms: Y = Z Aᵀ, noise-free.

    Only the atoms that occur are copied, never a dense Z. Each observation sums its k terms in the
    order drawn, so that it does not depend on the samples beside it. A dense product sums in an
    order of its own and may differ in the last bit of float64, which models, computing in float32,
    do not see but where that bit decides a rounding.

    Parameters
    ----------
    dictionary : ndarray, shape (obs, latent)
    support, magnitude : ndarray, shape (sample, active)
        A support of −1 fills up samples with fewer active latents than others.

    Returns
    -------
    ndarray of float64, shape (sample, obs)
    """
    active = support >= 0
    occurring, column = np.unique(support[active], return_inverse=True)
    row_starts = np.concatenate([[0], np.cumsum(active.sum(axis=1))])
    codes = csr_array((magnitude[active], column, row_starts), shape=(len(support), len(occurring)))
    return codes @ dictionary[:, occurring].T


def labels(support: NDArray[np.int32], magnitude: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the binary label z₀ > 0.5 of each sample.

    Parameters
    ----------
    support, magnitude : ndarray, shape (sample, active)

    Returns
    -------
    ndarray of bool, shape (sample,)
    """
    return ((support == 0) & (magnitude > 0.5)).any(axis=1)


def dense_codes(
    support: NDArray[np.int32], magnitude: NDArray[np.float64], n_latents: int
) -> NDArray[np.float64]:
    """Write out Z with its zeros.

    Parameters
    ----------
    support, magnitude : ndarray, shape (sample, active)
    n_latents : int
        Width of Z.

    Returns
    -------
    ndarray of float64, shape (sample, latent)
    """
    codes = np.zeros((len(support), n_latents))
    rows, places = np.nonzero(support >= 0)
    codes[rows, support[rows, places]] = magnitude[rows, places]
    return codes
