"""The mean correlation coefficient, as published."""

from typing import ClassVar

from sae_surgery.metrics.base import Metric, Quantity, Seen, each_split
from sae_surgery.metrics.measures.mcc import mcc_id, mcc_ood


class PublishedMcc(Metric):
    """MCC by the published rules, in each split by itself.

    In distribution columns of noise fill up; out of distribution those of largest variance count.
    """

    protocols = ("paper",)
    needs = ("codes",)
    gives: ClassVar = each_split(
        {
            "mcc": Quantity(
                "MCC", "mean correlation coefficient", "higher", axis="share", quoted=True
            )
        }
    )

    def score(self, seen: Seen) -> dict[str, float]:
        """Match the columns of each split anew."""
        measures = {"id": mcc_id, "ood": mcc_ood}
        return {
            f"mcc_{split}": measures[split](true, seen.codes[split])
            for split, true in seen.target.codes.items()
        }
