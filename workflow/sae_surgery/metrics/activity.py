"""How many atoms codes use, and how many no sample uses."""

from typing import ClassVar

from sae_surgery.metrics.base import Metric, Quantity, Seen
from sae_surgery.metrics.measures.detection import dead_share


class Activity(Metric):
    """Dead code columns."""

    protocols = ("strict",)
    gives: ClassVar = {
        "dead_share": Quantity(
            "Dead atoms",
            "share of code columns that no sample activates, in distribution",
            "lower",
        )
    }

    def score(self, seen: Seen) -> dict[str, float]:
        """Look at the samples in distribution."""
        return {"dead_share": dead_share(seen.codes["id"])}
