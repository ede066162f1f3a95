"""The audit: what a published score becomes when one choice of its making is corrected.

A score is made by a model, on samples, by a metric. Corrections of the metric are read off the
strict panel on the published codes; the samples, and what the model learned from and how it infers,
are exchanged under the published panel; at last everything is. The strict panel holds samples out,
and chooses probes and columns on half of those in distribution: so do `matched_column` and `signs`,
which moves a score a little by itself.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

SCORES = (
    "mcc_id",
    "mcc_ood",
    "acc_id",
    "acc_ood",
    "auc_id",
    "auc_ood",
    "dictionary_mean_cosine",
)
"""What is audited, by the names of the published panel."""


class Correction(NamedTuple):
    """One way to correct scores."""

    meaning: str
    scoring: str
    """Which of the scorings that `corrected` is given it is read off."""
    scores: Mapping[str, str]
    """The scores that it changes, with the metric that takes the place of each."""


_ALL = {name: name for name in SCORES}
_OF_CODES = {name: name for name in SCORES if not name.startswith("dictionary_")}
_SIGNED = {"dictionary_mean_cosine": "dictionary_mean_signed_cosine"}

CORRECTIONS = {
    "published": Correction("as published", "published", _ALL),
    "no_padding": Correction(
        "active latents are matched to all columns, and nothing is padded",
        "remeasured",
        {"mcc_id": "mcc_id"},
    ),
    "all_columns": Correction(
        "all columns are matched, not those of largest variance",
        "remeasured",
        {"mcc_ood": "mcc_ood_rematched"},
    ),
    "kept_pairs": Correction(
        "pairs, found among all columns on id, and their signs are kept out of distribution",
        "remeasured",
        {"mcc_ood": "mcc_ood"},
    ),
    "held_out": Correction(
        "probe and column are chosen on other samples than those they are judged on",
        "remeasured",
        {"acc_id": "acc_id", "auc_id": "auc_id"},
    ),
    "matched_column": Correction(
        "the probe sees the column matched with the label's latent alone",
        "remeasured",
        {"acc_id": "acc_matched_id", "acc_ood": "acc_matched_ood"},
    ),
    "signs": Correction(
        "a column that turns about, and an atom of the wrong sign, count against",
        "remeasured",
        {"auc_ood": "auc_ood"} | _SIGNED,
    ),
    "fresh_samples": Correction(
        "scored on enough samples that nothing was learned from", "resampled", _OF_CODES
    ),
    "strict_model": Correction(
        "the model learns from train alone, and its codes are solved for", "refitted", _ALL
    ),
    "strict": Correction("all corrections together", "strict", _ALL | _SIGNED),
}
"""By name, in the order in which they are told."""

Scores = Mapping[str, np.ndarray]


def corrected(scorings: Mapping[str, Scores]) -> dict[str, dict[str, np.ndarray]]:
    """Return each score (seed,) by correction; what a correction does not touch is as published.

    Parameters
    ----------
    scorings
        Metrics (seed,) by name: `published` by the paper's panel, `remeasured` by the strict panel
        of the same codes, `resampled` by the paper's panel of the same model on fresh samples,
        `refitted` by the paper's panel of the strict model on the published samples, `strict` by
        the strict panel of that model on fresh samples.
    """
    published = {name: scorings["published"][name] for name in SCORES}
    return {
        name: published
        | {
            score: scorings[correction.scoring][metric]
            for score, metric in correction.scores.items()
        }
        for name, correction in CORRECTIONS.items()
    }
