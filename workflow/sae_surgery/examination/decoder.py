"""Is the decoder at fault? Other dictionaries of its size, under the same solved codes."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np

from sae_surgery.examination import HELD_OUT, LEARN, STARTED, _solving
from sae_surgery.examination._codes import errors, explained, quotient, spread
from sae_surgery.examination._references import random_like, samples_as_atoms
from sae_surgery.examination.base import Answer, Question, Row, Subject, seeded

FACTORS = (0.25, 0.5, 1.0, 2.0)
"""Numbers of active atoms, relative to the encoder's mean L0."""
MOST_SAMPLES = 2000
"""Held-out samples that codes are solved for."""
STREAM = 29


class Decoder(Question):
    """Explained variance over L0 of the decoder, of learned dictionaries, and of references."""

    place = 20
    title = "The decoder against other dictionaries"
    asks = (
        "Is there a better dictionary of the same size? Codes of all of them are solved for by "
        "orthogonal matching pursuit with the same number of active atoms, on held-out samples. "
        "Principal components of that rank show what a linear code of as many numbers explains."
    )
    needs = ("learned",)
    along = "active atoms asked for"
    conditions: ClassVar = {
        "encoder": "the SAE as it is",
        "decoder": "the decoder",
        "scratch": "learned on the same rows, from scratch",
        STARTED: "learned on the same rows, from the decoder",
        "random": "random atoms, data's covariance",
        "samples": "the data's own samples",
        "pca": "principal components, equal rank",
    }
    quantities: ClassVar = {
        "explained_variance": "explained variance",
        "explained_variance_unseen": "explained variance of rows that equal none learned from",
        "gain": "gain in explained variance over the decoder, at the encoder's number",
        "k": "active atoms asked for: the encoder's mean, rounded",
    }

    def answer(self, subject: Subject) -> Answer:
        """Solve for codes under each dictionary, at each number of active atoms."""
        wanted = _numbers(subject)
        own_k = wanted[1.0]
        total = spread(subject.observations[HELD_OUT][:MOST_SAMPLES], subject.mean)
        rows, error = [Row("decoder", "k", float(own_k))], {}
        for name, dictionary in _dictionaries(subject):
            signed = subject.signed and name == "decoder"
            for k in sorted(set(wanted.values())):
                found, scored = _score(subject, dictionary, k, signed, total)
                rows.append(Row(name, "explained_variance", *scored, at=float(k)))
                if k == own_k:
                    error[name] = found
        rows += _at_own_l0(subject, error, total)
        rows += _of_encoder(subject)
        rows += _components(subject, sorted(set(wanted.values())))
        notes = [*subject.remarks]
        if not subject.learned:
            notes.append("No dictionary was learned beside it (`rivals: false`).")
        return Answer(rows, notes)


def _numbers(subject: Subject) -> dict[float, int]:
    """Return the numbers of active atoms by factor."""
    most = min(subject.dictionary.shape)
    return {factor: int(np.clip(round(subject.l0 * factor), 1, most)) for factor in FACTORS}


def _dictionaries(subject: Subject) -> Iterator[tuple[str, np.ndarray]]:
    learn, n_atoms = subject.observations[LEARN], subject.dictionary.shape[1]
    stream = seeded(subject, STREAM)
    yield "decoder", subject.dictionary
    for learned in subject.scratch[:1]:
        yield "scratch", learned
    if STARTED in subject.learned:
        yield STARTED, subject.learned[STARTED]
    yield "random", random_like(learn, n_atoms, stream)
    yield "samples", samples_as_atoms(learn, n_atoms, stream)


def _score(
    subject: Subject, dictionary: np.ndarray, k: int, signed: bool, total: np.ndarray
) -> tuple[np.ndarray, tuple[float, float, float]]:
    """Return squared errors (sample,) with k active atoms, and the explained variance."""
    y = subject.observations[HELD_OUT][:MOST_SAMPLES]
    error = errors(y, _solving.pursue(y, dictionary, k, signed), dictionary)
    return error, explained(error, total)


def _at_own_l0(
    subject: Subject, error: Mapping[str, np.ndarray], total: np.ndarray
) -> Iterator[Row]:
    """Yield gains over the decoder, and what is explained of rows that equal none learned from."""
    new = ~subject.seen[:MOST_SAMPLES]
    for name, found in error.items():
        if name != "decoder":
            yield Row(name, "gain", *quotient(error["decoder"] - found, total))
        if new.any() and not new.all():
            value = explained(found[new], total[new])
            yield Row(name, "explained_variance_unseen", *value)


def _of_encoder(subject: Subject) -> Iterator[Row]:
    y, codes = subject.observations[HELD_OUT], subject.codes[HELD_OUT]
    value = explained(errors(y, codes, subject.dictionary), spread(y, subject.mean))
    yield Row("encoder", "explained_variance", *value, at=subject.l0)


def _components(subject: Subject, ranks: list[int]) -> Iterator[Row]:
    centred = (subject.observations[LEARN] - subject.mean).astype(np.float64)
    _, axes = np.linalg.eigh(centred.T @ centred)
    y = subject.observations[HELD_OUT][:MOST_SAMPLES]
    scores = np.square((y - subject.mean) @ axes[:, ::-1])
    total = scores.sum(axis=1)
    for rank in ranks:
        error = scores[:, rank:].sum(axis=1)
        yield Row("pca", "explained_variance", *explained(error, total), at=float(rank))
