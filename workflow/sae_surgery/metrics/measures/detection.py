"""Each code column as a detector of the latent that it is paired with, and what codes explain."""

from typing import NamedTuple

import numpy as np

from sae_surgery.metrics.measures.pairing import Pairing, active_latents
from sae_surgery.metrics.measures.support import ACTIVE


class Detection(NamedTuple):
    """Quality of the detectors, averaged over latents that are active."""

    precision: float
    """Share of the samples with an active column in which its latent is; 0 if it never is."""
    recall: float
    """Share of the samples with an active latent in which its column is; 0 without a partner."""


def detection(true: np.ndarray, codes: np.ndarray, pairing: Pairing) -> Detection:
    """Judge each latent's code column by whether it is active when the latent is.

    Parameters
    ----------
    true
        True codes (sample, latent).
    codes
        Inferred codes (sample, atom).
    pairing
        Which column stands for which latent; latents not active among these samples are left out.

    Returns
    -------
    NaN, not defined, if no latent is active.
    """
    active = active_latents(true)
    if not len(active):
        return Detection(np.nan, np.nan)
    latents, columns, _ = pairing.among(active)
    in_truth = (np.abs(true) > ACTIVE).take(latents, axis=1)
    fires = (np.abs(codes) > ACTIVE).take(columns, axis=1)
    hits = (in_truth & fires).sum(axis=0)
    return Detection(
        precision=float((hits / np.maximum(fires.sum(axis=0), 1)).sum() / len(active)),
        recall=float((hits / np.maximum(in_truth.sum(axis=0), 1)).sum() / len(active)),
    )


def dead_share(codes: np.ndarray) -> float:
    """Return the share of columns of codes (sample, atom) that no sample activates."""
    return float((np.abs(codes).max(axis=0) <= ACTIVE).mean())


def least_uses(true: np.ndarray) -> int:
    """Return how many samples the rarest of the active latents of codes (sample, latent) has.

    It is 0 if none is active.
    """
    return int((true != 0).sum(axis=0)[active_latents(true)].min(initial=len(true)))


def explained_variance(
    observations: np.ndarray, codes: np.ndarray, dictionary: np.ndarray
) -> float:
    """Return the share of the observations' variance that codes explain.

    It is 1 − Σ var(y − D z) / Σ var(y), sums over observed dimensions: what a constant bias adds to
    the reconstruction does not matter.

    Parameters
    ----------
    observations
        Y (sample, obs).
    codes
        Z (sample, atom).
    dictionary
        D (obs, atom).

    Returns
    -------
    NaN, not defined, if observations do not vary.
    """
    residual, total = observations - codes @ dictionary.T, observations.var(axis=0).sum()
    return float(1 - residual.var(axis=0).sum() / total) if total > 0 else np.nan
