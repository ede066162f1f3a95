"""Uniqueness as other libraries define it."""

from typing import ClassVar

import numpy as np

from sae_surgery.metrics.base import Metric, Quantity, Seen
from sae_surgery.metrics.measures.matching import cosine


class DistinctLatents(Metric):
    """Number of latents that are the closest of some atom, over the number of atoms.

    SAELens and SynthSAEBench (arXiv 2602.14687) call it uniqueness. `dictionary_uniqueness` is
    stricter: it counts atoms that share their closest latent with no other.
    """

    protocols = ("strict",)
    needs = ("truth", "atoms")
    gives: ClassVar = {
        "distinct_latents": Quantity(
            "Distinct latents",
            "number of latents closest by |cosine| to any atom, over the number of atoms",
            "higher",
            axis="share",
        )
    }

    def score(self, seen: Seen) -> dict[str, float]:
        """Look for each atom's closest latent."""
        closest = np.abs(cosine(seen.target.truth, seen.atoms)).argmax(axis=0)
        return {"distinct_latents": float(len(np.unique(closest)) / len(closest))}
