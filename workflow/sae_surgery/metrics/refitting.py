"""How much too small the values of codes are, their support given."""

from typing import ClassVar

import numpy as np

from sae_surgery.metrics.base import Metric, Quantity, Seen, each_split
from sae_surgery.metrics.measures.support import ACTIVE

N_SAMPLES = 200
"""Samples, the first of a split, whose values are fitted anew: each is a least-squares problem."""


class Refitting(Metric):
    """Values fitted anew on the support, over the codes' own.

    Sums, not the mean of ratios, in which one value near zero outweighs all others.
    """

    protocols = ("strict",)
    needs = ("atoms", "bias")
    gives: ClassVar = each_split(
        {
            "refit_ratio": Quantity(
                "Refitted over own values",
                "sum of active values fitted anew by least squares on the support, over the sum of "
                "the codes' own",
            )
        }
    )

    def score(self, seen: Seen) -> dict[str, float]:
        """Fit the values of some samples of each split anew."""
        found = {}
        for split, values in seen.target.observations.items():
            own, refitted = refit(
                values[:N_SAMPLES] - seen.bias, seen.codes[split][:N_SAMPLES], seen.atoms
            )
            if own > 0:
                found[f"refit_ratio_{split}"] = refitted / own
        return found


def refit(observations: np.ndarray, codes: np.ndarray, atoms: np.ndarray) -> tuple[float, float]:
    """Return Σ |own values| and Σ of refitted values along their signs.

    Parameters
    ----------
    observations
        y − b (sample, obs).
    codes
        Z (sample, atom). Samples with as many active atoms as dimensions say nothing, and are left
        out: anything can be fitted with these.
    atoms
        D (obs, atom).
    """
    own = refitted = 0.0
    for observation, code in zip(observations, codes, strict=True):
        support = np.flatnonzero(np.abs(code) > ACTIVE)
        if 0 < len(support) < len(observation):
            values, *_ = np.linalg.lstsq(atoms[:, support], observation, rcond=None)
            own += float(np.abs(code[support]).sum())
            # A value of the other sign is no shrinkage.
            refitted += float((values * np.sign(code[support])).sum())
    return own, refitted
