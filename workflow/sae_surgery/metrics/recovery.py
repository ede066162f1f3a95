"""How well latents are recovered: correlation with the code columns that they pair with."""

from functools import partial
from typing import ClassVar

from sae_surgery.metrics.base import Metric, Quantity, Seen, each_split
from sae_surgery.metrics.measures.bootstrap import interval
from sae_surgery.metrics.measures.ends import ends_of, with_ends
from sae_surgery.metrics.measures.pairing import mean_correlation, pair, recovery


class Recovery(Metric):
    """MCC over active latents. Pairs are found in distribution among all columns, and kept."""

    protocols = ("strict",)
    needs = ("codes",)
    gives: ClassVar = {
        **ends_of(
            each_split(
                {
                    "mcc": Quantity(
                        "MCC",
                        "mean correlation of active latents with the code columns they pair with "
                        "on id",
                        "higher",
                        axis="share",
                        quoted=True,
                    )
                }
            )
        ),
        "mcc_ood_rematched": Quantity(
            "MCC, paired anew",
            "mean correlation of active latents with the columns paired anew, out of distribution",
            "higher",
            axis="share",
        ),
    }

    def score(self, seen: Seen) -> dict[str, float]:
        """Correlate pairs in each split; out of distribution also with pairs found there."""
        found = {}
        for split, true in seen.target.codes.items():
            sums, n_active = recovery(true, seen.codes[split], seen.pairing)
            mcc = partial(mean_correlation, n_active=n_active)
            found |= with_ends(f"mcc_{split}", float(mcc(sums.sum(0))), interval(sums, mcc))
        if "ood" in seen.target.codes:
            true, codes = seen.target.codes["ood"], seen.codes["ood"]
            again = recovery(true, codes, pair(true, codes))
            found["mcc_ood_rematched"] = float(mean_correlation(again.sums.sum(0), again.n_active))
        return found
