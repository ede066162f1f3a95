"""Accuracy of the probe on the latent's own column alone, and on the true codes."""

from typing import ClassVar

from sae_surgery.metrics.base import Metric, Quantity, Seen, Target, each_split
from sae_surgery.metrics.probes import LABELLED_LATENT, mean_right, probed


class ProbesOfTruth(Metric):
    """What bounds the accuracy of a probe on all columns: one column, and the true codes."""

    protocols = ("strict",)
    needs = ("labels", "codes", "ood")
    gives: ClassVar = each_split(
        {
            "acc_matched": Quantity(
                "Accuracy of one column",
                "accuracy of a probe on the code column paired with the label's latent alone",
                "higher",
                axis="chance",
            ),
            "acc_true": Quantity(
                "Accuracy on true codes",
                "accuracy of the probe on the true codes, the ceiling",
                axis="chance",
            ),
        }
    )

    def score(self, seen: Seen) -> dict[str, float]:
        """Probe the paired column, if there is one, and once for all codes the truth."""
        found = seen.target.once(_ceiling)
        columns = seen.pairing.columns[seen.pairing.latents == LABELLED_LATENT]
        if not len(columns):
            return found
        alone = {split: codes.take(columns, axis=1) for split, codes in seen.codes.items()}
        right, _ = probed(alone, seen.target)
        return found | {f"acc_matched_{split}": mean_right(each) for split, each in right.items()}


def _ceiling(target: Target) -> dict[str, float]:
    right, _ = probed(target.codes, target)
    return {f"acc_true_{split}": mean_right(each) for split, each in right.items()}
