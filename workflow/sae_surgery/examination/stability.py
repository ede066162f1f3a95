"""Whether two SAEs find the same atoms, and two learned dictionaries do."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from sae_surgery.examination import LEARN
from sae_surgery.examination._neighbours import MOST_MATCHED, matched
from sae_surgery.examination._references import random_like, samples_as_atoms
from sae_surgery.examination.base import Answer, Question, Row, Subject, seeded

STREAM = 31


class Stability(Question):
    """Mean cosine of matched atoms, beside that of atoms which nothing was learned for."""

    place = 50
    title = "Stability"
    needs = ("beside", "learned")
    asks = (
        "Does another training find the same atoms? Atoms are matched one to one; the mean cosine "
        "of the pairs stands beside that of two random dictionaries with the data's covariance, "
        "and of two draws of the data's own samples, which no training made alike."
    )
    conditions: ClassVar = {
        "random": "two random dictionaries, data's covariance",
        "samples": "two draws of the data's samples",
        "learned": "two dictionaries learned from scratch",
    }
    quantities: ClassVar = {"matched_cosine": "mean cosine of matched atoms"}

    def answer(self, subject: Subject) -> Answer:
        """Match atoms with those of each other SAE, and learned dictionaries with each other."""
        stream = seeded(subject, STREAM)
        rows = list(self._rows(subject, stream))
        notes = []
        if subject.dictionary.shape[1] > MOST_MATCHED:
            notes.append(
                f"Above {MOST_MATCHED} atoms, cosines are of {MOST_MATCHED} random atoms with "
                "their nearest ones, in all rows alike."
            )
        if not subject.beside:
            notes.append("No other SAE was given on these rows: nothing is said of this one's.")
        return Answer(rows, notes)

    def _rows(self, subject: Subject, stream: np.random.Generator) -> Iterator[Row]:
        own, learn = subject.dictionary, subject.observations[LEARN]
        n_atoms = own.shape[1]
        for name, other in subject.beside.items():
            value = matched(own, other, stream)
            yield Row(f"with {name}", "matched_cosine", value, split=LEARN)
        if len(subject.scratch) > 1:
            value = matched(*subject.scratch[:2], stream)
            yield Row("learned", "matched_cosine", value, split=LEARN)
        for condition, draw in (("random", random_like), ("samples", samples_as_atoms)):
            pair = [draw(learn, n_atoms, stream) for _ in range(2)]
            yield Row(condition, "matched_cosine", matched(*pair, stream), split=LEARN)
