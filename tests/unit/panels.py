"""Codes of one seed and what they are compared with, as a metric sees them."""

from sae_surgery.metrics.base import Seen, Target


def seen(
    true_id,
    codes_id,
    labels_id,
    true_ood,
    codes_ood,
    labels_ood,
    dictionary=None,
    truth=None,
    **further,
):
    """Return codes of both splits; observations are A z, or z where there is no `truth`."""
    codes = {"id": true_id, "ood": true_ood}
    target = Target(
        observations=codes if truth is None else {s: true @ truth.T for s, true in codes.items()},
        codes=codes,
        labels={"id": labels_id, "ood": labels_ood},
        truth=truth,
    )
    return Seen(target, {"id": codes_id, "ood": codes_ood}, dictionary, **further)
