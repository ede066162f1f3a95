"""Whether another seed finds the same atoms."""

from functools import cache
from typing import ClassVar

import numpy as np

from sae_surgery.metrics.base import Metric, Quantity, Seen
from sae_surgery.metrics.measures.dictionary import dictionary_metrics

MOST_ATOMS = 5000
"""Above it, matching two random dictionaries takes longer than all other scores."""


class Stability(Metric):
    """Mean cosine of atoms matched one to one with those of the next seed, on the same data.

    Beside it stands the same of two random dictionaries of that size, the level of chance. Problems
    that draw another true dictionary for each seed have nothing to be stable in.
    """

    protocols = ("strict",)
    needs = ("atoms", "other_atoms")
    gives: ClassVar = {
        "stability": Quantity(
            "Stability over seeds",
            "mean cosine of atoms matched with those that the next seed found",
            "higher",
            axis="share",
        ),
        "stability_random": Quantity(
            "Stability of random atoms",
            "mean cosine of the matched atoms of two random dictionaries of that size",
            axis="share",
        ),
    }

    def score(self, seen: Seen) -> dict[str, float]:
        """Match the atoms, and random ones."""
        if seen.atoms.shape[1] > MOST_ATOMS:
            return {}
        closeness = seen.compare(seen.atoms, seen.other_atoms, signed=True)
        return {
            "stability": closeness.mean_signed_cosine,
            "stability_random": _of_random(seen.atoms.shape),
        }


@cache
def _of_random(shape: tuple[int, int]) -> float:
    drawn = np.random.default_rng(0).normal(size=(2, *shape))
    return dictionary_metrics(*drawn, signed=True).mean_signed_cosine
