"""Whether the dictionary is in good health: which atoms are dead, doubled, hardly used."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from sae_surgery.examination import HELD_OUT, LEARN
from sae_surgery.examination._neighbours import nearest
from sae_surgery.examination._references import random_like
from sae_surgery.examination.base import Answer, Question, Row, Subject, seeded

RARE = 1e-4
"""Share of rows below which an atom that is not dead counts as rarely used."""
FREQUENT = 0.1
"""Share of rows above which an atom counts as dense."""
DUPLICATE = 0.9
"""Cosine with another atom from which on an atom is a duplicate."""
STREAM = 23
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


class Health(Question):
    """Shares of atoms, and quantiles of norms, of cosines with the nearest atom, and of rates."""

    place = 40
    title = "The dictionary's health"
    asks = (
        "Which atoms are never used, hardly ever, or twice? Counted over the rows that were "
        "encoded; cosines stand beside those of random atoms with the data's covariance."
    )
    along = "quantile"
    conditions: ClassVar = {
        "decoder": "the decoder",
        "random": "random atoms, data's covariance",
    }
    quantities: ClassVar = {
        "dead": "share of atoms that are never active",
        "rare": f"share active in less than {RARE:g} of the rows, but not dead",
        "frequent": f"share active in more than {FREQUENT:g} of the rows",
        "duplicates": f"share with another atom at a cosine of {DUPLICATE:g} or more",
        "coherence": "largest cosine of two atoms",
        "norm": "norm of atoms, by quantile",
        "nearest": "cosine with the nearest atom, by quantile",
        "rate": "share of rows in which an atom is active, by quantile",
        "l0": "active atoms a sample, by quantile",
    }

    def answer(self, subject: Subject) -> Answer:
        """Count atoms and take quantiles."""
        rates = subject.fired / subject.n_counted
        notes = [f"Rates are counted over {subject.n_counted} rows."]
        if subject.n_counted * RARE < 1:
            notes.append(f"Too few rows to see rates of {RARE:g}: some dead atoms may be rare.")
        return Answer(list(self._rows(subject, rates)), notes)

    def _rows(self, subject: Subject, rates: np.ndarray) -> Iterator[Row]:
        learn, n_atoms = subject.observations[LEARN], subject.dictionary.shape[1]
        closest = nearest(subject.dictionary, subject.dictionary, own=True)
        drawn = random_like(learn, n_atoms, seeded(subject, STREAM))
        of_random = nearest(drawn, drawn, own=True)
        shares = {
            "dead": rates == 0,
            "rare": (rates > 0) & (rates < RARE),
            "frequent": rates > FREQUENT,
            "duplicates": closest >= DUPLICATE,
        }
        for name, chosen in shares.items():
            yield Row("decoder", name, float(chosen.mean()), split=LEARN)
        yield Row("random", "duplicates", float((of_random >= DUPLICATE).mean()), split=LEARN)
        yield Row("decoder", "coherence", float(closest.max()), split=LEARN)
        yield Row("random", "coherence", float(of_random.max()), split=LEARN)
        spreads = {
            "norm": np.linalg.norm(subject.dictionary, axis=0),
            "nearest": closest,
            "rate": rates,
        }
        for name, values in spreads.items():
            yield from _quantiles("decoder", name, values, LEARN)
        yield from _quantiles("random", "nearest", of_random, LEARN)
        yield from _quantiles("decoder", "l0", subject.codes[HELD_OUT].counts[0].numpy(), HELD_OUT)


def _quantiles(condition: str, quantity: str, values: np.ndarray, split: str) -> Iterator[Row]:
    for share in QUANTILES:
        value = float(np.quantile(values, share))
        yield Row(condition, quantity, value, split=split, at=share)
