"""How far codes are from the minimum that they are to solve for."""

from typing import ClassVar

from sae_surgery.metrics.base import Metric, Quantity, Seen
from sae_surgery.metrics.measures.optimality import largest_relative_gap


class Optimality(Metric):
    """The largest duality gap of a sample's lasso, over codes of the signs that latents have."""

    protocols = ("strict",)
    needs = ("atoms", "lam")
    gives: ClassVar = {
        "largest_gap": Quantity(
            "Largest duality gap",
            "largest duality gap of a sample's codes, relative to its objective",
            "lower",
        )
    }

    def score(self, seen: Seen) -> dict[str, float]:
        """Take the largest over all splits."""
        # Codes are inferred in the precision of their dictionary.
        gaps = [
            largest_relative_gap(
                values.astype(seen.atoms.dtype),
                seen.atoms,
                seen.codes[split],
                seen.lam,
                non_negative=not seen.target.signed,
            )
            for split, values in seen.target.observations.items()
        ]
        return {"largest_gap": max(gaps)}
