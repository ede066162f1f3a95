"""The paper's problem with noise on the observations."""

from dataclasses import dataclass, replace
from typing import ClassVar

from sae_surgery.problems.base import Drawn
from sae_surgery.problems.paper import Cell

NOISE_STREAM = 11
"""Tells a seed's stream of noise from any other that it is given to."""


@dataclass(frozen=True)
class Noisy(Cell):
    """A cell with white Gaussian noise: dictionary and codes are those of the paper's problem."""

    snr_db: float = 20.0
    """Signal-to-noise ratio of the observations in dB, over all samples and dimensions of train."""

    keeps_observations: ClassVar[bool] = True
    long_names: ClassVar[dict[str, str]] = {"snr_db": "signal-to-noise ratio (dB)"}

    def draw(self, seed: int) -> Drawn:
        """Draw the paper's data, and noise on its observations."""
        drawn = super().draw(seed)
        return self._with_noise(drawn, self._scale(drawn), [NOISE_STREAM, seed])

    def fresh(self, seed: int, drawn: Drawn) -> Drawn:
        """Draw fresh samples with noise of the same scale."""
        fresh = super().fresh(seed, drawn)
        return self._with_noise(fresh, self._scale(drawn), [NOISE_STREAM, seed, 1])

    def _scale(self, drawn: Drawn) -> float:
        """Return the noise's standard deviation, from the signal's power on train."""
        from sae_surgery.problems.laws.noise import noise_scale
        from sae_surgery.problems.laws.sampling import observe

        train = slice(self.n_train)
        signal = observe(drawn.dictionary, drawn.support[train], drawn.magnitude[train])
        return noise_scale(signal, self.snr_db)

    def _with_noise(self, drawn: Drawn, scale: float, stream: list[int]) -> Drawn:
        import numpy as np

        from sae_surgery.problems.laws.noise import add_noise
        from sae_surgery.problems.laws.sampling import observe

        signal = observe(drawn.dictionary, drawn.support, drawn.magnitude)
        return replace(drawn, observations=add_noise(signal, scale, np.random.default_rng(stream)))
