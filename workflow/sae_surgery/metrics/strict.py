"""All metrics of the strict protocol for one seed of one method, by name.

The six main metrics have the names of the published ones, so that tables and figures are the same;
what they measure is corrected:

- pairs of latent and code column are found in distribution among all columns, and kept (`pairing`);
- the logistic probe, and the column and sign of the AUC, are chosen on the first half of the
  in-distribution samples and judged on the other;
- beside what probes reach stand the column paired with the label's latent alone, the same probe on
  the true codes, and the answer that is right most often;
- atoms are matched by their cosine, not by its magnitude, unless codes may be negative: the
  opposite atom with the opposite code is then the same model;
- supports are compared by the pairs of the codes, so that methods without a dictionary have them.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from sae_surgery.metrics.auc import auc_with_interval, best_detector
from sae_surgery.metrics.bootstrap import LEVEL, groups, interval
from sae_surgery.metrics.detection import dead_share, detection, explained_variance, least_uses
from sae_surgery.metrics.dictionary import DictionaryMetrics, dictionary_metrics
from sae_surgery.metrics.optimality import largest_relative_gap
from sae_surgery.metrics.pairing import Pairing, mean_correlation, pair, recovery
from sae_surgery.metrics.panel import SPLITS, SUPPORT, check_dictionary
from sae_surgery.metrics.probe import fit_probe
from sae_surgery.metrics.support import support_metrics

LABELLED_LATENT = 0

_MAIN = {
    "mcc": "mean correlation of active latents with the code columns they pair with on id",
    "acc": "accuracy of a logistic probe on samples it was not fitted on",
    "auc": "ROC-AUC, with its sign, of the code column that tells the label best on other samples",
}
_EACH_SPLIT = {
    "acc_matched": "accuracy of a probe on the code column paired with the label's latent alone",
    "acc_true": "accuracy of the probe on the true codes, the ceiling",
    "acc_base": "accuracy of always giving the answer that is most frequent on id",
    "detector_precision": "share of a code column's activations in which its latent is active",
    "detector_recall": "share of a latent's activations in which its code column is active",
    "explained_variance": "share of the observations' variance that codes and dictionary explain",
    "least_uses": "number of samples that the rarest active latent has",
}
_DICTIONARY = {
    "mean_cosine": "mean |cosine| of true columns and the atoms matched by signed cosine",
    "mean_signed_cosine": "mean cosine of atoms and true columns, matched by it",
    "mean_angular_error": "mean angle between matched atoms and true columns",
    "mean_norm_ratio": "mean norm of matched atoms over norm of true columns",
    "share_above_090": "share of matched atoms with a cosine above 0.9",
    "share_wrong_sign": "share of matched atoms with negative cosine",
    "uniqueness": "share of atoms that are the only one closest to their closest latent",
}
_INTERVAL = f"{100 * LEVEL:.0f} % interval by bootstrap over samples"


def _long_names() -> dict[str, str]:
    names = {
        f"{name}_{split}": f"{meaning}, {where}"
        for name, meaning in (_MAIN | _EACH_SPLIT).items()
        for split, where in SPLITS.items()
    }
    ends = {"low": f"lower end of the {_INTERVAL} of", "high": f"upper end of the {_INTERVAL} of"}
    names |= {
        f"{name}_{split}_{end}": f"{which} {name}_{split}"
        for name in _MAIN
        for split in SPLITS
        for end, which in ends.items()
    }
    names |= {
        "mcc_ood_rematched": "mean correlation of active latents with the columns paired anew, "
        "out of distribution",
        "acc_n_iter": "iterations of the logistic probe's fit",
        "largest_gap": "largest duality gap of a sample's codes, relative to its objective",
        "dead_share": "share of code columns that no sample activates, in distribution",
    }
    names |= {
        f"support_{name}_{split}": f"{meaning}, {where}"
        for split, where in SPLITS.items()
        for name, meaning in SUPPORT.items()
    }
    return names | {f"dictionary_{name}": meaning for name, meaning in _DICTIONARY.items()}


_UNITS = {"dictionary_mean_angular_error": "rad"}
DESCRIPTIONS = {name: (text, _UNITS.get(name, "1")) for name, text in _long_names().items()}
"""Long name and units of every metric that `strict_panel` returns."""


def prepare(
    true_id: np.ndarray,
    labels_id: np.ndarray,
    true_ood: np.ndarray,
    labels_ood: np.ndarray,
    truth: np.ndarray,
) -> dict[str, Any]:
    """Return what does not depend on the codes, as arguments of `strict_panel`."""
    ceiling, _ = _probed(true_id, labels_id, true_ood, labels_ood)
    most = np.mean(_first(labels_id)) > 0.5
    return {
        "observations_id": true_id @ truth.T,
        "observations_ood": true_ood @ truth.T,
        "of_truth": {
            **{f"acc_true_{split}": _mean(right) for split, right in ceiling.items()},
            "acc_base_id": float(np.mean(_second(labels_id) == most)),
            "acc_base_ood": float(np.mean(labels_ood == most)),
            "least_uses_id": float(least_uses(true_id)),
            "least_uses_ood": float(least_uses(true_ood)),
        },
    }


def strict_panel(
    true_id: np.ndarray,
    codes_id: np.ndarray,
    labels_id: np.ndarray,
    true_ood: np.ndarray,
    codes_ood: np.ndarray,
    labels_ood: np.ndarray,
    dictionary: np.ndarray | None,
    truth: np.ndarray,
    observations_id: np.ndarray,
    observations_ood: np.ndarray,
    of_truth: dict[str, float],
    compare: Callable[..., DictionaryMetrics] = dictionary_metrics,
    lam: float | None = None,
) -> dict[str, float]:
    """Return every metric named in `DESCRIPTIONS`.

    Parameters
    ----------
    true_id, true_ood
        True codes (sample, latent) of fresh samples in and out of distribution.
    codes_id, codes_ood
        Inferred codes (sample, atom).
    labels_id, labels_ood
        Binary labels (sample,).
    dictionary
        Dictionary (obs, atom) that the codes refer to; without one, what describes it is NaN.
    truth
        True dictionary (obs, latent).
    observations_id, observations_ood, of_truth
        What `prepare` returns.
    compare
        What compares the two dictionaries, called as `dictionary_metrics` is.
    lam
        λ of the lasso that the codes are to solve with the dictionary, if they are.

    Raises
    ------
    ValueError
        If the dictionary's width is not that of the codes, or numbers of samples differ.
    """
    labelled = labels_id, codes_ood, labels_ood
    pairing = pair(true_id, codes_id)
    panel = dict.fromkeys(DESCRIPTIONS, float("nan")) | of_truth
    panel |= _probes(codes_id, *labelled) | _matched_alone(codes_id, *labelled, pairing)
    panel |= _detectors(codes_id, *labelled)
    panel["dead_share"] = dead_share(codes_id)
    again = recovery(true_ood, codes_ood, pair(true_ood, codes_ood))
    panel["mcc_ood_rematched"] = float(mean_correlation(again.sums.sum(0), again.n_active))
    for split, true, codes in (("id", true_id, codes_id), ("ood", true_ood, codes_ood)):
        panel |= _recovered(true, codes, pairing, split)
    if dictionary is None:
        return panel
    check_dictionary(dictionary, truth, codes_id)
    either_sign = bool((codes_id < 0).any() or (codes_ood < 0).any())
    closeness = compare(dictionary, truth, signed=True, either_sign=either_sign)
    panel |= {f"dictionary_{name}": getattr(closeness, name) for name in _DICTIONARY}
    for split, observations, codes in (
        ("id", observations_id, codes_id),
        ("ood", observations_ood, codes_ood),
    ):
        explained = explained_variance(observations, codes, dictionary)
        panel[f"explained_variance_{split}"] = explained
    if lam is not None:
        scored = (observations_id, codes_id), (observations_ood, codes_ood)
        # Codes are inferred in the precision of their dictionary.
        panel["largest_gap"] = max(
            largest_relative_gap(observations.astype(dictionary.dtype), dictionary, codes, lam)
            for observations, codes in scored
        )
    return panel


def _recovered(
    true: np.ndarray, codes: np.ndarray, pairing: Pairing, split: str
) -> dict[str, float]:
    """Return how well latents are recovered in a split, value, support and detection."""
    sums, n_active = recovery(true, codes, pairing)
    mcc = partial(mean_correlation, n_active=n_active)
    support = support_metrics(true, codes, pairing.latents, pairing.columns)
    detected = detection(true, codes, pairing)
    return (
        _measured(f"mcc_{split}", float(mcc(sums.sum(0))), interval(sums, mcc))
        | {f"support_{name}_{split}": getattr(support, name) for name in SUPPORT}
        | {f"detector_{name}_{split}": value for name, value in detected._asdict().items()}
    )


def _probes(
    codes_id: np.ndarray, labels_id: np.ndarray, codes_ood: np.ndarray, labels_ood: np.ndarray
) -> dict[str, float]:
    """Return the accuracy of a probe on all columns."""
    right, n_iter = _probed(codes_id, labels_id, codes_ood, labels_ood)
    panel = {"acc_n_iter": float(n_iter)}
    for split, each in right.items():
        if each is None:
            continue
        parts = [each[part] for part in groups(len(each))]
        sums = np.array([[part.sum(), len(part)] for part in parts], np.float64)
        ends = interval(sums, lambda resampled: resampled[:, 0] / resampled[:, 1])
        panel |= _measured(f"acc_{split}", float(each.mean()), ends)
    return panel


def _matched_alone(
    codes_id: np.ndarray,
    labels_id: np.ndarray,
    codes_ood: np.ndarray,
    labels_ood: np.ndarray,
    pairing: Pairing,
) -> dict[str, float]:
    """Return the accuracy of a probe on the partner of the label's latent; NaN without one."""
    columns = pairing.columns[pairing.latents == LABELLED_LATENT]
    if not len(columns):
        return {}
    alone = codes_id.take(columns, axis=1), labels_id, codes_ood.take(columns, axis=1), labels_ood
    right, _ = _probed(*alone)
    return {f"acc_matched_{split}": _mean(each) for split, each in right.items()}


def _probed(
    codes_id: np.ndarray, labels_id: np.ndarray, codes_ood: np.ndarray, labels_ood: np.ndarray
) -> tuple[dict[str, np.ndarray | None], int]:
    """Return, by split, which samples a probe gets right, and the iterations of its fit.

    They are None if the labels that it is to be fitted on are all the same.
    """
    predict, n_iter = fit_probe(_first(codes_id), _first(labels_id))
    if predict is None:
        return dict.fromkeys(SPLITS), n_iter
    right = {
        "id": predict(_second(codes_id)) == _second(labels_id),
        "ood": predict(codes_ood) == labels_ood,
    }
    return right, n_iter


def _detectors(
    codes_id: np.ndarray, labels_id: np.ndarray, codes_ood: np.ndarray, labels_ood: np.ndarray
) -> dict[str, float]:
    """Return the AUC of the column that is best on the first half, judged on other samples."""
    detector, panel = best_detector(_first(codes_id), _first(labels_id)), {}
    if detector is None:
        return panel
    for split, codes, labels in (
        ("id", _second(codes_id), _second(labels_id)),
        ("ood", codes_ood, labels_ood),
    ):
        auc, *ends = auc_with_interval(detector.scores(codes), labels)
        panel |= _measured(f"auc_{split}", auc, ends)
    return panel


def _measured(name: str, value: float, ends: tuple[float, float]) -> dict[str, float]:
    low, high = ends
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _mean(right: np.ndarray | None) -> float:
    return np.nan if right is None else float(right.mean())


def _first(values: np.ndarray) -> np.ndarray:
    """Return the half of the samples on which probes and columns are chosen."""
    return values[: len(values) // 2]


def _second(values: np.ndarray) -> np.ndarray:
    """Return the half of the samples on which they are judged."""
    return values[len(values) // 2 :]
