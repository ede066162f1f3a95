"""Greedy pursuits: codes (sample, atom) of observations (sample, obs), k atoms each."""

import warnings

import numpy as np
from scipy.sparse import sparray
from torch import Tensor

from benchmarks.peers.autoencoders import without_init


def spams(observations: np.ndarray, dictionary: np.ndarray, k: int, dtype: type) -> sparray:
    """SPAMS: orthogonal matching pursuit with a Cholesky factor, all samples in one call."""
    from spams import omp

    columns = np.asfortranarray(observations.T, dtype=dtype)
    return omp(columns, np.asfortranarray(dictionary, dtype=dtype), L=k, eps=0.0, numThreads=1).T


def scikit_learn(observations: np.ndarray, dictionary: np.ndarray, k: int) -> np.ndarray:
    """scikit-learn: orthogonal matching pursuit with a Cholesky factor, a sample at a time."""
    from sklearn.linear_model import orthogonal_mp

    with warnings.catch_warnings():
        # Whether a pursuit ended early is for the judge to say.
        warnings.simplefilter("ignore")
        return orthogonal_mp(dictionary, observations.T, n_nonzero_coefs=k).T


def dictionary_learning(observations: Tensor, dictionary: Tensor, k: int) -> Tensor:
    """dictionary_learning: gradient pursuit of all samples at once, with dense codes."""
    without_init("dictionary_learning")
    from dictionary_learning.grad_pursuit import grad_pursuit

    return grad_pursuit(observations, dictionary, k)
