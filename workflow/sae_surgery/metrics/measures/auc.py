"""Area under the ROC curve (AUC) of every column of the codes, as a rank statistic."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sae_surgery.metrics.measures.bootstrap import groups, interval_of_pairs

SMALLEST_DEVIATION = 1e-10
"""A column whose standard deviation is below this is constant."""
ENTRIES_AT_ONCE = 2**22
"""Entries of the codes that are sorted at once: bounds the memory to some hundred MB."""


def column_auc(codes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the ROC-AUC of each column of the codes as a score for the label.

    It is the Mann-Whitney U statistic over the number of (positive, negative) pairs; tied pairs
    count one half (Hanley & McNeil 1982, doi:10.1148/radiology.143.1.7063747).

    Parameters
    ----------
    codes
        Codes (sample, atom), finite.
    labels
        Binary labels (sample,).

    Returns
    -------
    np.ndarray
        AUC (atom,); 0.5 for a constant column. If all labels are the same it is not defined: NaN.

    Raises
    ------
    ValueError
        If codes and labels differ in length.
    """
    n_samples, n_atoms = codes.shape
    if len(labels) != n_samples:
        raise ValueError(f"one label a sample is needed, got {len(labels)} for {n_samples} samples")
    labels = np.asarray(labels, dtype=bool)
    if labels.all() or not labels.any():
        return np.full(n_atoms, np.nan)
    width = max(1, ENTRIES_AT_ONCE // n_samples)
    starts = range(0, n_atoms, width)
    return np.concatenate([_chunk_auc(codes[:, start : start + width], labels) for start in starts])


def best_column_auc(
    codes_id: np.ndarray, labels_id: np.ndarray, codes_ood: np.ndarray, labels_ood: np.ndarray
) -> tuple[float, float]:
    """Return the AUC, ID and OOD, of the column that tells the label best on ID.

    Either sign of a column counts, on ID and again on OOD: max(AUC, 1 - AUC). The first of equally
    good columns is taken. Both are NaN if all ID labels are the same, OOD if all of these are.

    Parameters
    ----------
    codes_id, codes_ood
        Codes (sample, atom).
    labels_id, labels_ood
        Binary labels (sample,).

    Raises
    ------
    ValueError
        If codes and labels differ in length.
    """
    auc_id = _either_sign(column_auc(codes_id, labels_id))
    best = int(np.argmax(auc_id))
    if np.isnan(auc_id[best]):
        return np.nan, np.nan
    auc_ood = _either_sign(column_auc(codes_ood[:, [best]], labels_ood))
    return float(auc_id[best]), float(auc_ood[0])


class Detector(NamedTuple):
    """A code column, with a sign, as a score for the label."""

    column: int
    sign: int

    def scores(self, codes: np.ndarray) -> np.ndarray:
        """Return the scores (sample,) of codes (sample, atom)."""
        return self.sign * codes[:, self.column]


def best_detector(codes: np.ndarray, labels: np.ndarray) -> Detector | None:
    """Return the column, and its sign, that tells the label best; the first of equally good ones.

    If all labels are the same, there is none.

    Parameters
    ----------
    codes
        Codes (sample, atom).
    labels
        Binary labels (sample,).

    Raises
    ------
    ValueError
        If codes and labels differ in length.
    """
    auc = column_auc(codes, labels)
    best = int(np.argmax(_either_sign(auc)))
    if np.isnan(auc[best]):
        return None
    return Detector(best, 1 if auc[best] >= 0.5 else -1)


def auc_with_interval(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float, float]:
    """Return the AUC of scores (sample,) for labels (sample,), and its interval over samples.

    All are NaN if all labels are the same.
    """
    if labels.all() or not labels.any():
        return np.nan, np.nan, np.nan
    parts = [(scores[part], labels[part]) for part in groups(len(scores))]
    positives = [part[positive] for part, positive in parts]
    negatives = [part[~positive] for part, positive in parts]
    wins = np.array([_wins(positives, np.sort(each)) for each in negatives]).T
    n_positive = np.array([len(each) for each in positives])
    n_negative = np.array([len(each) for each in negatives])

    def statistic(sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
        # A resample of few samples can be without a positive or a negative.
        n_pairs = (weights @ n_positive) * (weights @ n_negative)
        return np.where(n_pairs > 0, sums / np.maximum(n_pairs, 1), 0.5)

    auc = wins.sum() / (n_positive.sum() * n_negative.sum())
    return float(auc), *interval_of_pairs(wins, statistic)


def _wins(positives: Sequence[np.ndarray], negatives: np.ndarray) -> list[float]:
    """Count the pairs, of each group of positives and sorted negatives, that positives win."""
    return [
        (np.searchsorted(negatives, each) + np.searchsorted(negatives, each, "right")).sum() / 2
        for each in positives
    ]


def _either_sign(auc: np.ndarray) -> np.ndarray:
    return np.maximum(auc, 1 - auc)


def _chunk_auc(codes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    # Imported here because Numba takes longer than all else that a reader of results needs.
    from sae_surgery.metrics.measures.ranks import count_wins

    positives, negatives = _sorted_columns(codes[labels]), _sorted_columns(codes[~labels])
    auc = count_wins(positives, negatives) / (positives.shape[1] * negatives.shape[1])
    return np.where(codes.std(axis=0) < SMALLEST_DEVIATION, 0.5, auc)


def _sorted_columns(codes: np.ndarray) -> np.ndarray:
    """Return each column in ascending order, as a row."""
    columns = np.ascontiguousarray(codes.T)
    columns.sort(axis=1)
    return columns
