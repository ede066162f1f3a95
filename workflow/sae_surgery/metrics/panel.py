"""All metrics of the published protocol for one seed of one method, by name."""

from collections.abc import Callable

import numpy as np

from sae_surgery.metrics.auc import best_column_auc
from sae_surgery.metrics.dictionary import DictionaryMetrics, dictionary_metrics
from sae_surgery.metrics.mcc import mcc_id, mcc_ood
from sae_surgery.metrics.probe import accuracy
from sae_surgery.metrics.support import support_metrics

_CODES = {
    "mcc_id": "mean correlation coefficient, in distribution",
    "mcc_ood": "mean correlation coefficient, out of distribution",
    "acc_id": "accuracy of a logistic probe on the samples that it was fitted on",
    "acc_ood": "accuracy of the logistic probe, out of distribution",
    "acc_n_iter": "iterations of the logistic probe's fit",
    "auc_id": "ROC-AUC of the code column that tells the label best, in distribution",
    "auc_ood": "ROC-AUC of that code column, out of distribution",
}
SPLITS = {"id": "in distribution", "ood": "out of distribution"}
SUPPORT = {
    "precision": "share of the active atoms whose matched latent is active",
    "recall": "share of the active latents whose matched atom is active",
    "f1": "harmonic mean of support precision and recall",
    "l0_true": "number of active latents",
    "l0_matched": "number of active atoms that have a matched latent",
    "l0_total": "number of active atoms",
}
_DICTIONARY = {
    "mean_cosine": "mean |cosine| of matched atoms and true columns",
    "mean_signed_cosine": "mean cosine of matched atoms and true columns",
    "mean_angular_error": "mean angle between matched atoms and true columns, whatever their sign",
    "mean_norm_ratio": "mean norm of matched atoms over norm of true columns",
    "share_above_090": "share of matched atoms with |cosine| above 0.9",
    "share_wrong_sign": "share of matched atoms with negative cosine",
}
_UNITS = {"dictionary_mean_angular_error": "rad"}

_LONG_NAMES = {
    **_CODES,
    **{
        f"support_{name}_{split}": f"{meaning}, {where}"
        for split, where in SPLITS.items()
        for name, meaning in SUPPORT.items()
    },
    **{f"dictionary_{name}": meaning for name, meaning in _DICTIONARY.items()},
}
DESCRIPTIONS = {name: (text, _UNITS.get(name, "1")) for name, text in _LONG_NAMES.items()}
"""Long name and units of every metric that `paper_panel` returns."""


def paper_panel(
    true_id: np.ndarray,
    codes_id: np.ndarray,
    labels_id: np.ndarray,
    true_ood: np.ndarray,
    codes_ood: np.ndarray,
    labels_ood: np.ndarray,
    dictionary: np.ndarray | None = None,
    truth: np.ndarray | None = None,
    compare: Callable[..., DictionaryMetrics] = dictionary_metrics,
) -> dict[str, float]:
    """Return every metric named in `DESCRIPTIONS`.

    Parameters
    ----------
    true_id, true_ood
        True codes (sample, latent) of the validation split and of the OOD split.
    codes_id, codes_ood
        Inferred codes (sample, atom).
    labels_id, labels_ood
        Binary labels (sample,).
    dictionary
        Dictionary (obs, atom) that the codes refer to. A method without one has no support and
        dictionary metrics: they are NaN.
    truth
        True dictionary (obs, latent); needed where there is a `dictionary`.
    compare
        What compares the two, called as `dictionary_metrics` is; a version that remembers saves
        time where codes share dictionaries.

    Raises
    ------
    ValueError
        If a dictionary comes without the truth or with a width other than that of the codes, if
        numbers of samples differ, or if codes are not finite.
    """
    probe = accuracy(codes_id, labels_id, codes_ood, labels_ood)
    auc_id, auc_ood = best_column_auc(codes_id, labels_id, codes_ood, labels_ood)
    panel = dict.fromkeys(DESCRIPTIONS, float("nan")) | {
        "mcc_id": mcc_id(true_id, codes_id),
        "mcc_ood": mcc_ood(true_ood, codes_ood),
        "acc_id": probe.acc_id,
        "acc_ood": probe.acc_ood,
        "acc_n_iter": float(probe.n_iter),
        "auc_id": auc_id,
        "auc_ood": auc_ood,
    }
    if dictionary is None:
        return panel
    check_dictionary(dictionary, truth, codes_id)
    closeness = compare(dictionary, truth)
    panel |= {f"dictionary_{name}": getattr(closeness, name) for name in _DICTIONARY}
    for split, true, codes in (("id", true_id, codes_id), ("ood", true_ood, codes_ood)):
        support = support_metrics(true, codes, closeness.rows, closeness.columns)
        panel |= {f"support_{name}_{split}": getattr(support, name) for name in SUPPORT}
    return panel


def check_dictionary(dictionary: np.ndarray, truth: np.ndarray | None, codes: np.ndarray) -> None:
    """Raise ValueError unless the true dictionary is given and each code column has an atom."""
    if truth is None:
        raise ValueError("truth: a dictionary can only be judged beside the true one, got None")
    if dictionary.shape[1] != codes.shape[1]:
        raise ValueError(
            f"dictionary: needs an atom for each of the {codes.shape[1]} code columns, "
            f"got {dictionary.shape[1]}"
        )
