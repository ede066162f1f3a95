"""ROC-AUC of the best code column, its sign and column chosen on other samples."""

from typing import ClassVar

from sae_surgery.metrics.base import Metric, Quantity, Seen, each_split
from sae_surgery.metrics.measures.auc import auc_with_interval, best_detector
from sae_surgery.metrics.measures.ends import ends_of, with_ends
from sae_surgery.metrics.measures.splits import first_half, second_half


class Auc(Metric):
    """AUC of the column that is best on the first half of the samples in distribution."""

    protocols = ("strict",)
    needs = ("labels", "ood")
    gives: ClassVar = ends_of(
        each_split(
            {
                "auc": Quantity(
                    "AUC",
                    "ROC-AUC, with its sign, of the code column that tells the label best on other "
                    "samples",
                    "higher",
                    axis="chance",
                    quoted=True,
                )
            }
        )
    )

    def score(self, seen: Seen) -> dict[str, float]:
        """Judge the column on the other half and out of distribution."""
        codes, labels = seen.codes, seen.target.labels
        detector = best_detector(first_half(codes["id"]), first_half(labels["id"]))
        if detector is None:
            return {}
        found = {}
        for split, judged, answers in (
            ("id", second_half(codes["id"]), second_half(labels["id"])),
            ("ood", codes["ood"], labels["ood"]),
        ):
            auc, *ends = auc_with_interval(detector.scores(judged), answers)
            found |= with_ends(f"auc_{split}", auc, ends)
        return found
