"""How well single atoms detect labels, from codes without their zeros.

Zeros are ties, below all positive codes: an AUC counts half of the pairs of a positive and a
negative sample that both are zero.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import sparse

AT_ONCE = 2**24
"""Counts of entries and labels held at once."""


@dataclass(frozen=True)
class Detectors:
    """The best atom of each label, (label,)."""

    atom: np.ndarray
    threshold: np.ndarray
    """Code from which on the label is said to be there."""


def best_by_auc(codes: sparse.csr_array, labels: np.ndarray) -> Detectors:
    """Choose by AUC. Codes are (sample, atom), not negative; labels (sample, label), boolean."""
    return _best(codes, labels, "auc")


def best_by_f1(codes: sparse.csr_array, labels: np.ndarray) -> Detectors:
    """Choose by F1 at the best threshold of each atom."""
    return _best(codes, labels, "f1")


def _best(codes: sparse.csr_array, labels: np.ndarray, by: str) -> Detectors:
    columns = codes.tocsc()
    counts = np.diff(columns.indptr)
    n_labels = labels.shape[1]
    highest = np.full(n_labels, -np.inf)
    atom = np.zeros(n_labels, np.int64)
    threshold = np.full(n_labels, np.inf)
    for first, last in _runs(counts, n_labels):
        entries = slice(columns.indptr[first], columns.indptr[last])
        of_atom = np.repeat(np.arange(first, last), counts[first:last])
        order = np.lexsort((-columns.data[entries], of_atom))
        values, of_atom = columns.data[entries][order], of_atom[order]
        positive = labels[columns.indices[entries][order]]
        score, place = _scores(positive, counts[first:last], labels, by)
        best = score.argmax(axis=0)
        found = score[best, np.arange(n_labels)]
        better = found > highest
        highest[better], atom[better] = found[better], first + best[better]
        if len(values):
            # Of atoms that are never active nothing is found.
            at = np.minimum(place[best, np.arange(n_labels)], len(values) - 1)
            threshold[better] = values[at][better]
    return Detectors(atom, threshold)


def _runs(counts: np.ndarray, n_labels: int) -> list[tuple[int, int]]:
    """Return runs of atoms whose entries, times labels, are few enough to be held."""
    bounds, held = [0], 0
    for place, count in enumerate(counts):
        if held and (held + count) * n_labels > AT_ONCE:
            bounds.append(place)
            held = 0
        held += count
    bounds.append(len(counts))
    return list(pairwise(bounds))


def _scores(
    positive: np.ndarray, counts: np.ndarray, labels: np.ndarray, by: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the score of each atom for each label, and the entry at the best threshold.

    `positive` are the labels (entry, label) of the entries, from the largest code of each atom to
    its smallest.
    """
    n_samples, total = len(labels), labels.sum(axis=0).astype(float)
    ends = np.cumsum(counts)
    starts = ends - counts
    # Entries up to each one, and positive ones among them, within its atom.
    above = np.concatenate([np.zeros((1, labels.shape[1])), np.cumsum(positive, axis=0)])
    hits = above[ends] - above[starts]
    rank = np.arange(1, len(positive) + 1) - np.repeat(starts, counts)
    so_far = above[1:] - np.repeat(above[starts], counts, axis=0)
    if by == "auc":
        # Negative entries below each positive one, summed over the positive ones.
        negative_so_far = rank[:, None] - so_far
        misses = counts[:, None] - hits
        below = np.repeat(misses, counts, axis=0) - negative_so_far
        won = np.concatenate([np.zeros((1, labels.shape[1])), np.cumsum(below * positive, axis=0)])
        pairs = won[ends] - won[starts]
        silent_negative = n_samples - total - misses
        pairs += hits * silent_negative + (total - hits) * silent_negative / 2
        # A label that all samples have, or none, has no pairs.
        score = pairs / np.maximum(total * (n_samples - total), 1)
        return score, np.maximum(ends - 1, 0)[:, None] * np.ones_like(score, dtype=np.int64)
    f1 = 2 * so_far / (rank[:, None] + total)
    score, place = np.zeros((len(counts), labels.shape[1])), np.zeros_like(hits, dtype=np.int64)
    active = np.flatnonzero(counts)
    if len(active):
        score[active] = np.maximum.reduceat(f1, starts[active], axis=0)
        reached = np.repeat(score, counts, axis=0) == f1
        entry = np.where(reached, np.arange(len(f1))[:, None], len(f1))
        place[active] = np.minimum.reduceat(entry, starts[active], axis=0)
    return score, place


def aucs(values: np.ndarray, label: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the AUC (resample,) of codes (sample,) for a label, with weights (resample, sample).

    NaN where all of the weight, or none, is on samples with the label.
    """
    levels, level = np.unique(values, return_inverse=True)
    share = np.zeros((2, len(weights), len(levels)))
    for kind in (0, 1):
        chosen = label == bool(kind)
        one_hot = sparse.csr_array(
            (np.ones(chosen.sum()), (level[chosen], np.flatnonzero(chosen))),
            shape=(len(levels), len(values)),
        )
        share[kind] = (one_hot @ weights.T).T
    negative, positive = share
    below = np.cumsum(negative, axis=1) - negative
    pairs = (positive * (below + negative / 2)).sum(axis=1)
    total = positive.sum(axis=1) * negative.sum(axis=1)
    return np.divide(pairs, total, out=np.full(len(total), np.nan), where=total > 0)


def f1s(said: np.ndarray, label: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the F1 (resample,) of what is said of samples, with weights (resample, sample)."""
    hits = weights @ (said & label)
    total = weights @ said.astype(float) + weights @ label.astype(float)
    return np.divide(2 * hits, total, out=np.full(len(total), np.nan), where=total > 0)
