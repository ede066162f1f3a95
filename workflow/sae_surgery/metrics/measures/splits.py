"""Halves of the samples in distribution: one to choose on, the other to judge on."""

import numpy as np


def first_half(values: np.ndarray) -> np.ndarray:
    """Return the half of the samples (sample, …) on which probes and columns are chosen."""
    return values[: len(values) // 2]


def second_half(values: np.ndarray) -> np.ndarray:
    """Return the half of the samples (sample, …) on which they are judged."""
    return values[len(values) // 2 :]
