"""How many atoms codes use, and how many no sample uses."""

from typing import ClassVar

import numpy as np

from sae_surgery.metrics.base import Metric, Quantity, Seen, each_split
from sae_surgery.metrics.measures.detection import dead_share
from sae_surgery.metrics.measures.support import ACTIVE


class Activity(Metric):
    """Active atoms of a sample, and dead code columns."""

    protocols = ("strict",)
    gives: ClassVar = {
        **each_split(
            {"l0": Quantity("L0", "mean number of active atoms of a sample", axis="count")}
        ),
        "dead_share": Quantity(
            "Dead atoms",
            "share of code columns that no sample activates, in distribution",
            "lower",
            axis="share",
        ),
    }

    def score(self, seen: Seen) -> dict[str, float]:
        """Count atoms in each split, and dead ones in distribution."""
        found = {
            f"l0_{split}": float((np.abs(codes) > ACTIVE).sum(axis=1).mean())
            for split, codes in seen.codes.items()
        }
        return {"dead_share": dead_share(seen.codes["id"]), **found}
