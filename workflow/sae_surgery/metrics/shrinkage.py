"""How much too small codes are: norms of reconstructions, and values refitted on the support."""

from typing import ClassVar

import numpy as np

from sae_surgery.metrics.base import Metric, Quantity, Seen, each_split
from sae_surgery.metrics.measures.support import ACTIVE

N_SAMPLES = 200
"""Samples, the first of a split, whose values are fitted anew: each is a least-squares problem."""


class Shrinkage(Metric):
    """Shrinkage of reconstructions and of values.

    A bias of the decoder is not seen: observations and reconstructions lose their means first.
    """

    protocols = ("strict",)
    needs = ("atoms",)
    gives: ClassVar = each_split(
        {
            "norm_ratio": Quantity(
                "Norm of reconstruction",
                "mean norm of centred reconstructions over mean norm of centred observations",
            ),
            "refit_ratio": Quantity(
                "Refitted over own values",
                "sum of active values fitted anew by least squares on the support, over the sum of "
                "the codes' own",
            ),
        }
    )

    def score(self, seen: Seen) -> dict[str, float]:
        """Compare norms, and values on the support, in each split."""
        found = {}
        for split, values in seen.target.observations.items():
            codes = seen.codes[split]
            reconstructed = codes @ seen.atoms.T
            centred = values - values.mean(axis=0)
            rebuilt = reconstructed - reconstructed.mean(axis=0)
            size = np.linalg.norm(centred, axis=1).mean()
            found[f"norm_ratio_{split}"] = _ratio(np.linalg.norm(rebuilt, axis=1).mean(), size)
            bias = values.mean(axis=0) - reconstructed.mean(axis=0)
            some = slice(N_SAMPLES)
            found[f"refit_ratio_{split}"] = _refit_ratio(
                values[some] - bias, codes[some], seen.atoms
            )
        return found


def _refit_ratio(observations: np.ndarray, codes: np.ndarray, atoms: np.ndarray) -> float:
    """Return Σ |refitted values| / Σ |own values| over samples whose support can be refitted."""
    own = refitted = 0.0
    for observation, code in zip(observations, codes, strict=True):
        support = np.flatnonzero(np.abs(code) > ACTIVE)
        # With as many atoms as dimensions anything can be fitted: the values say nothing then.
        if not 0 < len(support) < len(observation):
            continue
        values, *_ = np.linalg.lstsq(atoms[:, support], observation, rcond=None)
        own += np.abs(code[support]).sum()
        # In the direction that the code has: a value of the other sign is no shrinkage.
        refitted += float((values * np.sign(code[support])).sum())
    return _ratio(refitted, own)


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator > 0 else float("nan")
