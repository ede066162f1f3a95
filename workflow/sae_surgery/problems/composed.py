"""A law put together from named choices: supports, magnitudes, dictionary, bias and noise.

Choices are those of public synthetic benchmarks for SAEs (SynthSAEBench, arXiv 2602.14687), and
what they lack: pairs of latents that training never shows together, one in every ood sample.
"""

from dataclasses import dataclass
from typing import ClassVar

from sae_surgery.problems.base import Drawn
from sae_surgery.problems.laws.choices import Choices
from sae_surgery.problems.laws.fresh import FRESH_STREAM

LAW_STREAM = 13
"""Tells a seed's stream of the law itself (dictionary, pairs, correlations) from its samples'."""


@dataclass(frozen=True)
class Composed(Choices):
    """A synthetic problem composed of named laws; `Choices` says which there are."""

    knows: ClassVar[tuple[str, ...]] = ("dictionary", "codes", "labels")

    def draw(self, seed: int) -> Drawn:
        """Draw the law itself, then its samples."""
        return self._sample(seed, self.n_samples, self.n_ood, [seed])

    def fresh(self, seed: int, drawn: Drawn) -> Drawn:
        """Draw fresh samples of the same law."""
        return self._sample(seed, *self.fresh_samples(), [FRESH_STREAM, seed])

    def _sample(self, seed: int, n_id: int, n_ood: int, stream: list[int]) -> Drawn:
        import numpy as np

        from sae_surgery.problems.laws.composition import draw_law, draw_samples

        law = draw_law(self, np.random.default_rng([LAW_STREAM, seed]))
        return draw_samples(self, law, n_id, n_ood, np.random.default_rng(stream))
