"""Indices of sparseness (Hurley and Rickard, arXiv 0811.4706; Diao et al., arXiv 2302.05601)."""

import numpy as np


def pq_index(values: np.ndarray) -> np.ndarray:
    """Return the PQ index with p = 1 and q = 2 (sample,) of values (sample, atom).

    It is 1 − n^(1/q − 1/p) ‖z‖_p / ‖z‖_q (Diao et al., definition 1): 0 where all n values are
    equal, 1 − 1 / √n where one alone is not zero. Samples must not be all zero.
    """
    norms = np.linalg.norm(values, axis=1)
    return 1 - np.abs(values).sum(axis=1) / norms / np.sqrt(values.shape[1])


def gini(values: np.ndarray) -> np.ndarray:
    """Return the Gini index (sample,) of |values| (sample, atom).

    It is 1 − 2 Σ_k z_(k) / ‖z‖₁ · (n − k + ½) / n, z_(k) ascending (Hurley and Rickard, table I).
    Samples must not be all zero.
    """
    ascending = np.sort(np.abs(values), axis=1)
    n = values.shape[1]
    weights = (n - np.arange(1, n + 1) + 0.5) / n
    return 1 - 2 * (ascending @ weights) / ascending.sum(axis=1)
