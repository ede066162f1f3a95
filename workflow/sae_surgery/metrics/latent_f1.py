"""F1 of the best code column of each latent as a detector of it."""

from typing import ClassVar

import numpy as np

from sae_surgery.metrics.base import Metric, Quantity, Seen, each_split
from sae_surgery.metrics.measures.pairing import active_latents
from sae_surgery.metrics.measures.support import ACTIVE


class LatentF1(Metric):
    """Mean over active latents of the F1 by which their columns say that they are active.

    The column of a latent is that with which it pairs (`Seen.pairing`), in distribution, and it is
    kept; a latent without one counts 0. The F1 of SynthSAEBench (arXiv 2602.14687) averages over
    code columns, each beside the latent closest to its atom.
    """

    protocols = ("strict",)
    needs = ("codes",)
    gives: ClassVar = each_split(
        {
            "latent_f1": Quantity(
                "F1 of latents",
                "mean over active latents of the F1 of their code column as a detector",
                "higher",
                axis="share",
            )
        }
    )

    def score(self, seen: Seen) -> dict[str, float]:
        """Judge the columns in each split."""
        found = {}
        for split, true in seen.target.codes.items():
            active = active_latents(true)
            if not len(active):
                continue
            latents, columns, _ = seen.pairing.among(active)
            in_truth = np.abs(true.take(latents, axis=1)) > ACTIVE
            fires = np.abs(seen.codes[split].take(columns, axis=1)) > ACTIVE
            hits = (in_truth & fires).sum(axis=0)
            f1 = 2 * hits / np.maximum(in_truth.sum(axis=0) + fires.sum(axis=0), 1)
            found[f"latent_f1_{split}"] = float(f1.sum() / len(active))
        return found
