"""How much of the observations codes and dictionary explain, with how many active atoms."""

from typing import ClassVar

from sae_surgery.metrics.base import Metric, Quantity, Seen, each_split
from sae_surgery.metrics.measures.detection import explained_variance


class Reconstruction(Metric):
    """Explained variance, on what there is always: observations, codes and a dictionary."""

    needs = ("atoms",)
    gives: ClassVar = each_split(
        {
            "explained_variance": Quantity(
                "Explained variance",
                "share of the observations' variance that codes and dictionary explain",
                "higher",
                axis="share",
            )
        }
    )

    def score(self, seen: Seen) -> dict[str, float]:
        """Reconstruct each split."""
        return {
            f"explained_variance_{split}": explained_variance(values, seen.codes[split], seen.atoms)
            for split, values in seen.target.observations.items()
        }
