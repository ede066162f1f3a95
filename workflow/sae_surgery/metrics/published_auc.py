"""ROC-AUC of the best code column, as published."""

from typing import ClassVar

from sae_surgery.metrics.base import Metric, Quantity, Seen
from sae_surgery.metrics.measures.auc import best_column_auc


class PublishedAuc(Metric):
    """AUC of the column that is best in distribution, whichever its sign in either split."""

    protocols = ("paper",)
    needs = ("labels", "ood")
    gives: ClassVar = {
        "auc_id": Quantity(
            "AUC, in distribution",
            "ROC-AUC of the code column that tells the label best, in distribution",
            "higher",
            axis="chance",
            quoted=True,
        ),
        "auc_ood": Quantity(
            "AUC, out of distribution",
            "ROC-AUC of that code column, out of distribution",
            "higher",
            axis="chance",
            quoted=True,
        ),
    }

    def score(self, seen: Seen) -> dict[str, float]:
        """Choose the column in distribution."""
        labels = seen.target.labels
        auc = best_column_auc(seen.codes["id"], labels["id"], seen.codes["ood"], labels["ood"])
        return dict(zip(("auc_id", "auc_ood"), auc, strict=True))
