"""How unevenly values spread over codes: PQ index and Gini index."""

from typing import ClassVar

import numpy as np

from sae_surgery.metrics.base import Metric, Quantity, Seen, each_split
from sae_surgery.metrics.measures.sparseness import gini, pq_index

N_SAMPLES = 1000
"""Samples that are averaged over, the first of a split."""


class Sparseness(Metric):
    """Mean over samples of two indices, 0 for equal values and near 1 for a single one."""

    protocols = ("strict",)
    gives: ClassVar = each_split(
        {
            "pq_index": Quantity("PQ index", "mean PQ index (p = 1, q = 2) of a sample's code"),
            "gini": Quantity("Gini index", "mean Gini index of a sample's |code|"),
        }
    )

    def score(self, seen: Seen) -> dict[str, float]:
        """Average over samples that are not all zero."""
        found = {}
        for split, codes in seen.codes.items():
            active = _some(codes)
            if len(active):
                found[f"pq_index_{split}"] = float(pq_index(active).mean())
                found[f"gini_{split}"] = float(gini(active).mean())
        return found


def _some(codes: np.ndarray) -> np.ndarray:
    """Return the first samples of codes (sample, atom) but for those that are all zero."""
    some = codes[:N_SAMPLES]
    return some[np.any(some != 0, axis=1)]
