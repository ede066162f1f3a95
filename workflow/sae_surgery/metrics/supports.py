"""Which latents are found active, by code columns paired with latents."""

from typing import ClassVar

from sae_surgery.metrics.base import Metric, Seen, each_split
from sae_surgery.metrics.measures.support import QUANTITIES, support_metrics


class Supports(Metric):
    """Precision, recall and size of supports by the pairs of the codes: no dictionary is needed."""

    protocols = ("strict",)
    needs = ("codes",)
    gives: ClassVar = each_split(QUANTITIES)

    def score(self, seen: Seen) -> dict[str, float]:
        """Compare supports in each split."""
        latents, columns, _ = seen.pairing
        return {
            f"support_{name}_{split}": value
            for split, true in seen.target.codes.items()
            for name, value in support_metrics(true, seen.codes[split], latents, columns)
            ._asdict()
            .items()
        }
