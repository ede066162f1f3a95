"""Dictionaries that nothing was learned for: what any comparison of atoms has to beat."""

import numpy as np

SMALLEST_NORM = 1e-8


def unit(columns: np.ndarray) -> np.ndarray:
    """Return columns (obs, atom) at unit length; those of no length stay as they are."""
    norms = np.linalg.norm(columns, axis=0)
    return columns / np.where(norms > SMALLEST_NORM, norms, 1)


def random_like(observations: np.ndarray, n_atoms: int, stream: np.random.Generator) -> np.ndarray:
    """Return unit gaussian atoms (obs, atom) with the covariance of observations (sample, obs)."""
    centred = observations - observations.mean(axis=0)
    covariance = centred.T.astype(np.float64) @ centred / len(centred)
    variances, axes = np.linalg.eigh(covariance)
    scales = np.sqrt(np.clip(variances, 0, None))
    drawn = stream.standard_normal((len(scales), n_atoms))
    return unit(axes @ (scales[:, None] * drawn)).astype(np.float32)


def samples_as_atoms(
    observations: np.ndarray, n_atoms: int, stream: np.random.Generator
) -> np.ndarray:
    """Return observations (sample, obs), different ones while they last, as unit atoms."""
    different = np.unique(observations, axis=0)
    lengths = np.linalg.norm(different, axis=1)
    different = different[lengths > SMALLEST_NORM]
    chosen = stream.permutation(len(different))[:n_atoms]
    if len(chosen) < n_atoms:
        chosen = np.concatenate([chosen, stream.choice(len(different), n_atoms - len(chosen))])
    return unit(different[chosen].T)
