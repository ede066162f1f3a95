"""Accuracy of a logistic probe, as published."""

from typing import ClassVar

from sae_surgery.metrics.base import Metric, Quantity, Seen
from sae_surgery.metrics.measures.probe import accuracy


class PublishedProbe(Metric):
    """Accuracy of a probe, in distribution on the samples that it was fitted on."""

    protocols = ("paper",)
    needs = ("labels", "ood")
    gives: ClassVar = {
        "acc_id": Quantity(
            "Accuracy, in distribution",
            "accuracy of a logistic probe on the samples that it was fitted on",
            "higher",
            axis="chance",
            quoted=True,
        ),
        "acc_ood": Quantity(
            "Accuracy, out of distribution",
            "accuracy of the logistic probe, out of distribution",
            "higher",
            axis="chance",
            quoted=True,
        ),
        "acc_n_iter": Quantity("Iterations of the probe", "iterations of the logistic probe's fit"),
    }

    def score(self, seen: Seen) -> dict[str, float]:
        """Fit in distribution."""
        labels = seen.target.labels
        probe = accuracy(seen.codes["id"], labels["id"], seen.codes["ood"], labels["ood"])
        return {
            "acc_id": probe.acc_id,
            "acc_ood": probe.acc_ood,
            "acc_n_iter": float(probe.n_iter),
        }
