"""Values of active latents, by name. All have a mean near one half, that of the paper's."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

MAGNITUDES = {
    "uniform": lambda stream, size: stream.uniform(0, 1, size),
    "constant": lambda stream, size: np.full(size, 0.5),
    "exponential": lambda stream, size: stream.exponential(0.5, size),
    "folded_normal": lambda stream, size: np.abs(stream.normal(0, np.sqrt(np.pi / 8), size)),
}
"""Functions of a stream and a size: U(0, 1), ½, Exp with mean ½, |N(0, π/8)| with mean ½."""


def draw_magnitudes(law: str, size: int, stream: Generator) -> NDArray[np.float64]:
    """Draw the values (entry,) of active latents by a law of `MAGNITUDES`."""
    return MAGNITUDES[law](stream, size)
