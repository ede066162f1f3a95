"""How close a dictionary is to the true one, as published."""

from typing import ClassVar

from sae_surgery.metrics.base import Metric, Quantity, Seen, check_dictionary

_NAMES = (
    "mean_cosine",
    "mean_signed_cosine",
    "mean_angular_error",
    "mean_norm_ratio",
    "share_above_090",
    "share_wrong_sign",
)


class PublishedDictionary(Metric):
    """Cosines, angles and norms of atoms that are matched to true columns by their |cosine|."""

    protocols = ("paper",)
    needs = ("truth", "atoms")
    gives: ClassVar = {
        "dictionary_mean_cosine": Quantity(
            "|Cosine| to true atoms",
            "mean |cosine| of matched atoms and true columns",
            "higher",
            axis="share",
            quoted=True,
        ),
        "dictionary_mean_signed_cosine": Quantity(
            "Signed cosine",
            "mean cosine of matched atoms and true columns",
            "higher",
            axis="share",
        ),
        "dictionary_mean_angular_error": Quantity(
            "Angular error (rad)",
            "mean angle between matched atoms and true columns, whatever their sign",
            "lower",
            "rad",
        ),
        "dictionary_mean_norm_ratio": Quantity(
            "Norm over true norm", "mean norm of matched atoms over norm of true columns"
        ),
        "dictionary_share_above_090": Quantity(
            "Share with |cosine| > 0.9",
            "share of matched atoms with |cosine| above 0.9",
            "higher",
            axis="share",
            quoted=True,
        ),
        "dictionary_share_wrong_sign": Quantity(
            "Share of wrong sign",
            "share of matched atoms with negative cosine",
            "lower",
            axis="share",
            quoted=True,
        ),
    }

    def score(self, seen: Seen) -> dict[str, float]:
        """Compare atoms and true columns."""
        check_dictionary(seen.atoms, seen.codes["id"])
        closeness = seen.compare(seen.atoms, seen.target.truth)
        return {f"dictionary_{name}": getattr(closeness, name) for name in _NAMES}
