"""Which latents are found active, by atoms matched to true columns, as published."""

from typing import ClassVar

from sae_surgery.metrics.base import Metric, Seen, check_dictionary, each_split
from sae_surgery.metrics.measures.support import QUANTITIES, support_metrics


class PublishedSupport(Metric):
    """Precision, recall and size of supports; atoms are matched to latents by their |cosine|."""

    protocols = ("paper",)
    needs = ("codes", "truth", "atoms")
    gives: ClassVar = each_split(QUANTITIES)

    def score(self, seen: Seen) -> dict[str, float]:
        """Match atoms once, for all splits."""
        check_dictionary(seen.atoms, seen.codes["id"])
        pairs = seen.compare(seen.atoms, seen.target.truth)
        return {
            f"support_{name}_{split}": value
            for split, true in seen.target.codes.items()
            for name, value in support_metrics(true, seen.codes[split], pairs.rows, pairs.columns)
            ._asdict()
            .items()
        }
