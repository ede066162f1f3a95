"""Noise on observations, of a wanted signal-to-noise ratio."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray


def noise_scale(observations: NDArray[np.float64], snr_db: float) -> float:
    """Return the standard deviation σ of white noise at a signal-to-noise ratio in dB.

    The signal's power is the mean square of `observations` (sample, obs), as they come:
    SNR = 10 log₁₀(mean(y²) / σ²).
    """
    return float(np.sqrt(np.mean(observations**2) / 10 ** (snr_db / 10)))


def add_noise(
    observations: NDArray[np.float64], scale: float, stream: Generator
) -> NDArray[np.float64]:
    """Return observations (sample, obs) with white Gaussian noise of a standard deviation."""
    return observations + scale * stream.normal(size=observations.shape)
