"""Lasso solvers: non-negative codes (sample, atom) of observations (sample, obs)."""

import warnings

import numpy as np
from scipy.sparse import sparray


def spams(
    observations: np.ndarray, dictionary: np.ndarray, lam: float, threads: int, dtype: type
) -> sparray:
    """SPAMS: LARS with a Cholesky factor, all samples in one call (Mairal et al. 2010)."""
    from spams import lasso

    columns = np.asfortranarray(observations.T, dtype=dtype)
    atoms = np.asfortranarray(dictionary, dtype=dtype)
    return lasso(columns, D=atoms, lambda1=lam, pos=True, numThreads=threads).T


def scikit_learn(observations: np.ndarray, dictionary: np.ndarray, lam: float) -> np.ndarray:
    """scikit-learn: cyclic coordinate descent, a sample at a time."""
    from sklearn.linear_model import Lasso

    solver = Lasso(lam / len(dictionary), fit_intercept=False, positive=True, tol=1e-7)
    solver.set_params(max_iter=100_000)
    return _one_by_one(solver, observations, dictionary)


def celer(observations: np.ndarray, dictionary: np.ndarray, lam: float) -> np.ndarray:
    """celer: working sets chosen by dual extrapolation, a sample at a time."""
    from celer import Lasso

    solver = Lasso(lam / len(dictionary), fit_intercept=False, positive=True, tol=1e-7)
    return _one_by_one(solver, observations, dictionary)


def skglm(observations: np.ndarray, dictionary: np.ndarray, lam: float) -> np.ndarray:
    """skglm: working sets with Anderson acceleration, a sample at a time.

    Its tolerance is not that of a gap but of a subgradient, which is of the size of λ / m.
    """
    from skglm import Lasso

    solver = Lasso(lam / len(dictionary), fit_intercept=False, positive=True, tol=1e-9)
    return _one_by_one(solver, observations, dictionary)


def _one_by_one(solver, observations: np.ndarray, dictionary: np.ndarray) -> np.ndarray:
    """Fit a sample at a time; these solvers divide the squared error by the observed dimensions."""
    atoms = np.asfortranarray(dictionary)
    with warnings.catch_warnings():
        # Whether a solver got close enough is for the judge to say.
        warnings.simplefilter("ignore")
        return np.stack([solver.fit(atoms, sample).coef_ for sample in observations])
