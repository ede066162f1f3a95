"""How much too small reconstructions are."""

from typing import ClassVar

import numpy as np

from sae_surgery.metrics.base import Metric, Quantity, Seen, each_split


class Shrinkage(Metric):
    """Norm of reconstructions over norm of observations.

    Both are of what is left without the means, in which a bias of the decoder does not count.
    """

    protocols = ("strict",)
    needs = ("atoms",)
    gives: ClassVar = each_split(
        {
            "norm_ratio": Quantity(
                "Norm of reconstruction",
                "mean norm of centred reconstructions over mean norm of centred observations",
            )
        }
    )

    def score(self, seen: Seen) -> dict[str, float]:
        """Compare mean norms in each split."""
        found = {}
        for split, values in seen.target.observations.items():
            size = _mean_norm(values)
            if size > 0:
                rebuilt = _mean_norm(seen.codes[split] @ seen.atoms.T)
                found[f"norm_ratio_{split}"] = rebuilt / size
        return found


def _mean_norm(values: np.ndarray) -> float:
    return float(np.linalg.norm(values - values.mean(axis=0), axis=1).mean())
