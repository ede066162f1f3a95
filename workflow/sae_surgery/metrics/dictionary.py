"""How close a dictionary is to the true one; an atom of the wrong sign counts against."""

from typing import ClassVar

from sae_surgery.metrics.base import Metric, Quantity, Seen, check_dictionary

_NAMES = (
    "mean_cosine",
    "mean_signed_cosine",
    "mean_angular_error",
    "mean_norm_ratio",
    "share_above_090",
    "share_wrong_sign",
    "uniqueness",
)


class Dictionary(Metric):
    """Cosines, angles and norms of atoms that are matched to true columns by their cosine.

    Where codes are negative somewhere, or latents may be, an atom and its opposite are the same
    model, and |cosine| is taken instead.
    """

    protocols = ("strict",)
    needs = ("truth", "atoms")
    gives: ClassVar = {
        "dictionary_mean_cosine": Quantity(
            "|Cosine| to true atoms",
            "mean |cosine| of true columns and the atoms matched by signed cosine",
            "higher",
            axis="share",
            quoted=True,
        ),
        "dictionary_mean_signed_cosine": Quantity(
            "Signed cosine",
            "mean cosine of atoms and true columns, matched by it",
            "higher",
            axis="share",
        ),
        "dictionary_mean_angular_error": Quantity(
            "Angular error (rad)",
            "mean angle between matched atoms and true columns",
            "lower",
            "rad",
        ),
        "dictionary_mean_norm_ratio": Quantity(
            "Norm over true norm", "mean norm of matched atoms over norm of true columns"
        ),
        "dictionary_share_above_090": Quantity(
            "Share with cosine > 0.9",
            "share of matched atoms with a cosine above 0.9",
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
        "dictionary_uniqueness": Quantity(
            "Uniqueness",
            "share of atoms that are the only one closest to their closest latent",
            "higher",
            axis="share",
        ),
    }

    def score(self, seen: Seen) -> dict[str, float]:
        """Compare atoms and true columns."""
        check_dictionary(seen.atoms, seen.codes["id"])
        truth = seen.target.truth
        either_sign = seen.signed or seen.target.signed
        closeness = seen.compare(seen.atoms, truth, signed=True, either_sign=either_sign)
        return {f"dictionary_{name}": getattr(closeness, name) for name in _NAMES}
