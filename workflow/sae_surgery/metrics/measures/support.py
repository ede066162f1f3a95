"""Which latents are found active, whatever their values: precision, recall, F1 and L0."""

from typing import NamedTuple

import numpy as np

from sae_surgery.metrics.measures.quantity import Quantity

ACTIVE = 1e-4
"""An entry of a code is active where its magnitude exceeds this."""

QUANTITIES = {
    "support_precision": Quantity(
        "Support precision",
        "share of the active atoms whose matched latent is active",
        "higher",
        axis="share",
    ),
    "support_recall": Quantity(
        "Support recall",
        "share of the active latents whose matched atom is active",
        "higher",
        axis="share",
    ),
    "support_f1": Quantity(
        "Support F1",
        "harmonic mean of support precision and recall",
        "higher",
        axis="share",
        quoted=True,
    ),
    "support_l0_true": Quantity("Active latents", "number of active latents", axis="count"),
    "support_l0_matched": Quantity(
        "Matched active atoms", "number of active atoms that have a matched latent", axis="count"
    ),
    "support_l0_total": Quantity("Active atoms", "number of active atoms", axis="count"),
}
"""What the fields of `Support` are called in tables and figures."""


class Support(NamedTuple):
    """Agreement of true and inferred supports, averaged over samples."""

    precision: float
    """Share of the active atoms whose partner is active; 0 for a sample without any."""
    recall: float
    """Share of the active latents whose partner is active; 0 for a sample without any."""
    f1: float
    """Harmonic mean of a sample's precision and recall; 0 if both supports are empty."""
    l0_true: float
    """Active latents."""
    l0_matched: float
    """Active atoms among those with a partner."""
    l0_total: float
    """Active atoms."""


def support_metrics(
    true: np.ndarray,
    codes: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    threshold: float = ACTIVE,
) -> Support:
    """Compare the supports of true and inferred codes under a given matching.

    Supports are whole: an active latent without a partner is missed, an active atom without one is
    a false alarm.

    Parameters
    ----------
    true
        True codes (sample, latent).
    codes
        Inferred codes (sample, atom).
    rows, columns
        Matching (pair,): latent `rows[i]` is the partner of atom `columns[i]`.
    threshold
        Magnitude above which an entry is active, on both sides.

    Raises
    ------
    ValueError
        If the numbers of samples differ.
    """
    if len(true) != len(codes):
        raise ValueError(f"one code a true sample is needed, got {len(codes)} for {len(true)}")
    in_truth, in_codes = np.abs(true) > threshold, np.abs(codes) > threshold
    matched = in_codes[:, columns]
    hits = (in_truth[:, rows] & matched).sum(axis=1)
    l0_true, l0_total = in_truth.sum(axis=1), in_codes.sum(axis=1)
    return Support(
        precision=_mean_ratio(hits, l0_total),
        recall=_mean_ratio(hits, l0_true),
        f1=_mean_ratio(2 * hits, l0_true + l0_total),
        l0_true=float(l0_true.mean()),
        l0_matched=float(matched.sum(axis=1).mean()),
        l0_total=float(l0_total.mean()),
    )


def _mean_ratio(parts: np.ndarray, wholes: np.ndarray) -> float:
    """Average parts/wholes over samples, 0 where the whole is empty."""
    return float(np.mean(parts / np.maximum(wholes, 1)))
