"""Whether one atom means one label, and by the encoder's codes or by solved ones."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from scipy import sparse

from sae_surgery.examination import HELD_OUT, LEARN, _solving
from sae_surgery.examination._codes import as_rows
from sae_surgery.examination._detection import aucs, best_by_auc, best_by_f1, f1s
from sae_surgery.examination.base import Answer, Question, Row, Subject, seeded
from sae_surgery.inference.sparse import SparseCodes

LEAST_LEARN, LEAST_HELD_OUT = 20, 10
"""Samples with a label, and as many without, below which it is left out."""
N_RESAMPLES = 200
MOST_LEARN = 10_000
"""Samples that atoms are chosen on."""
STREAM = 37
TAILS = (0.025, 0.975)


class Labels(Question):
    """Mean AUC and F1 of the best atom of each label, chosen on other samples."""

    place = 60
    title = "Labels"
    asks = (
        "Is there an atom for each label, and in whose codes? The best atom of each label, and for "
        "F1 its threshold, are chosen on rows to learn from and scored on held-out ones; given is "
        "the mean over labels."
    )
    needs = ("labels", "learned")
    conditions: ClassVar = {
        "encoder": "the encoder's codes",
        "omp": "solved codes on its decoder (matching pursuit)",
        "scratch": "solved codes on the dictionary learned from scratch",
        "dense": "the activations themselves, best dimension",
    }
    quantities: ClassVar = {
        "auc": "AUC of the best atom, mean over labels",
        "f1": "F1 of the best atom, mean over labels",
        "n_labels": "labels with enough samples",
    }

    def answer(self, subject: Subject) -> Answer:
        """Choose atoms, and score them."""
        learn = {LEARN: subject.labels[LEARN][:MOST_LEARN], HELD_OUT: subject.labels[HELD_OUT]}
        enough = _enough(learn[LEARN], LEAST_LEARN) & _enough(learn[HELD_OUT], LEAST_HELD_OUT)
        notes = []
        if not enough.all():
            notes.append(
                f"{(~enough).sum()} of {len(enough)} labels are left out: a label needs "
                f"{LEAST_LEARN} rows to learn from and {LEAST_HELD_OUT} held-out ones, and as many "
                "without it."
            )
        rows = [Row("encoder", "n_labels", float(enough.sum()))]
        if not enough.any():
            return Answer(rows, notes)
        labels = {split: values[:, enough] for split, values in learn.items()}
        weights = _weights(subject, len(labels[HELD_OUT]))
        for name, codes in _codes(subject):
            rows += _score(name, codes, labels, weights)
        return Answer(rows, notes)


def _enough(labels: np.ndarray, least: int) -> np.ndarray:
    positive = labels.sum(axis=0)
    return (positive >= least) & (len(labels) - positive >= least)


def _weights(subject: Subject, n_samples: int) -> np.ndarray:
    """Return how often samples are drawn, (1 + resample, sample): once each in the first row."""
    drawn = seeded(subject, STREAM).multinomial(
        n_samples, np.full(n_samples, 1 / n_samples), N_RESAMPLES
    )
    return np.concatenate([np.ones((1, n_samples)), drawn])


def _codes(subject: Subject) -> Iterator[tuple[str, dict[str, sparse.csr_array]]]:
    """Yield codes of both splits, by magnitude, as compressed rows."""
    splits = {
        LEARN: subject.observations[LEARN][:MOST_LEARN],
        HELD_OUT: subject.observations[HELD_OUT],
    }
    counts = {
        split: subject.codes[split].counts[0].numpy()[: len(y)] for split, y in splits.items()
    }
    own = {split: as_rows(subject.codes[split])[: len(y)] for split, y in splits.items()}
    yield "encoder", {split: abs(rows) for split, rows in own.items()}

    def solved(dictionary: np.ndarray, signed: bool) -> dict[str, sparse.csr_array]:
        codes: dict[str, SparseCodes] = {
            split: _solving.pursue(y, dictionary, counts[split], signed)
            for split, y in splits.items()
        }
        return {split: abs(as_rows(each)) for split, each in codes.items()}

    yield "omp", solved(subject.dictionary, subject.signed)
    for learned in subject.scratch[:1]:
        yield "scratch", solved(learned, False)
    # Either sign of a dimension may say it; shifted, so that no value is a zero.
    low = splits[LEARN].min(axis=0)
    both = {
        split: np.concatenate([y - low, splits[LEARN].max(axis=0) - y], axis=1).clip(1e-9)
        for split, y in splits.items()
    }
    yield "dense", {split: sparse.csr_array(values) for split, values in both.items()}


def _score(
    name: str,
    codes: dict[str, sparse.csr_array],
    labels: dict[str, np.ndarray],
    weights: np.ndarray,
) -> Iterator[Row]:
    held_out = codes[HELD_OUT].tocsc()
    found: dict[str, list[np.ndarray]] = {"auc": [], "f1": []}
    by_auc = best_by_auc(codes[LEARN], labels[LEARN])
    by_f1 = best_by_f1(codes[LEARN], labels[LEARN])
    for place in range(labels[HELD_OUT].shape[1]):
        label = labels[HELD_OUT][:, place]
        values = held_out[:, [by_auc.atom[place]]].toarray()[:, 0]
        found["auc"].append(aucs(values, label, weights))
        said = held_out[:, [by_f1.atom[place]]].toarray()[:, 0] >= by_f1.threshold[place]
        found["f1"].append(f1s(said, label, weights))
    for quantity, each in found.items():
        means = np.nanmean(np.array(each), axis=0)
        yield Row(name, quantity, float(means[0]), *map(float, np.quantile(means[1:], TAILS)))
