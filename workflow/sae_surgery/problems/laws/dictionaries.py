"""True dictionaries: random unit columns, driven apart to a wanted coherence, of unequal norms."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

MOST_STEPS = 2000
STEP = 0.1


def unit_columns(obs_dim: int, n_latents: int, stream: Generator) -> NDArray[np.float64]:
    """Draw A (obs, latent) with independent normal entries, columns scaled to unit norm."""
    dictionary = stream.normal(size=(obs_dim, n_latents))
    return dictionary / np.linalg.norm(dictionary, axis=0)


def coherence(dictionary: NDArray[np.float64]) -> float:
    """Return the largest |cosine| of two columns of a dictionary (obs, latent) of unit norms."""
    return float(np.abs(_cosines(dictionary)).max())


def least_coherence(obs_dim: int, n_latents: int) -> float:
    """Return Welch's bound, below which no n unit vectors in m dimensions have their coherence."""
    if n_latents <= obs_dim:
        return 0.0
    return float(np.sqrt((n_latents - obs_dim) / (obs_dim * (n_latents - 1))))


def drive_apart(dictionary: NDArray[np.float64], wanted: float) -> NDArray[np.float64]:
    """Return a dictionary (obs, latent) whose coherence is at most `wanted`.

    Columns whose |cosine| exceeds what is wanted push each other apart, step by step, and are
    scaled to unit norm again.

    Raises
    ------
    ValueError
        If it is not reached: it is below Welch's bound, or too near to it.
    """
    dictionary = dictionary.copy()
    for _ in range(MOST_STEPS):
        cosines = _cosines(dictionary)
        largest = np.abs(cosines).max()
        if largest <= wanted:
            return dictionary
        # A little below what is wanted, so that it is reached and not only approached.
        excess = np.sign(cosines) * np.maximum(np.abs(cosines) - 0.98 * wanted, 0)
        dictionary -= STEP * dictionary @ excess
        dictionary /= np.linalg.norm(dictionary, axis=0)
    bound = least_coherence(*dictionary.shape)
    raise ValueError(
        f"coherence {wanted:g} cannot be reached with {dictionary.shape[1]} atoms in "
        f"{dictionary.shape[0]} dimensions: {largest:.3f} is left after {MOST_STEPS} steps, and "
        f"nothing below {bound:.3f} exists"
    )


def _cosines(dictionary: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cosines (latent, latent) of different columns, 0 on the diagonal."""
    cosines = dictionary.T @ dictionary
    np.fill_diagonal(cosines, 0)
    return cosines
