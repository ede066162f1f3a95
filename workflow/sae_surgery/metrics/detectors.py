"""Each code column as a detector of the latent that it is paired with."""

from typing import ClassVar

from sae_surgery.metrics.base import Metric, Quantity, Seen, Target, each_split
from sae_surgery.metrics.measures.detection import detection, least_uses


class Detectors(Metric):
    """Precision and recall of columns as detectors, averaged over active latents."""

    protocols = ("strict",)
    needs = ("codes",)
    gives: ClassVar = each_split(
        {
            "detector_precision": Quantity(
                "Detector precision",
                "share of a code column's activations in which its latent is active",
                "higher",
                axis="share",
            ),
            "detector_recall": Quantity(
                "Detector recall",
                "share of a latent's activations in which its code column is active",
                "higher",
                axis="share",
            ),
            "least_uses": Quantity(
                "Uses of the rarest latent",
                "number of samples that the rarest active latent has",
            ),
        }
    )

    def score(self, seen: Seen) -> dict[str, float]:
        """Judge columns in each split."""
        found = dict(seen.target.once(_least_uses))
        for split, true in seen.target.codes.items():
            detected = detection(true, seen.codes[split], seen.pairing)
            found |= {f"detector_{name}_{split}": v for name, v in detected._asdict().items()}
        return found


def _least_uses(target: Target) -> dict[str, float]:
    return {f"least_uses_{split}": float(least_uses(true)) for split, true in target.codes.items()}
