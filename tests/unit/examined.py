"""Subjects of an examination whose truth is known."""

from collections.abc import Callable

import numpy as np
from scipy import sparse

from sae_surgery.examination import HELD_OUT, LEARN
from sae_surgery.examination._codes import from_rows
from sae_surgery.examination._references import unit
from sae_surgery.examination._solving import pursue
from sae_surgery.examination.base import Answer, Subject

OBS, ATOMS, K = 24, 40, 3
SIZES = {LEARN: 400, HELD_OUT: 200}


def dictionary(seed: int = 0) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(OBS, ATOMS))).astype(np.float32)


def true_codes(n_samples: int, seed: int) -> np.ndarray:
    """Return codes (sample, atom) with K active atoms each."""
    drawn = np.random.default_rng(seed)
    codes = np.zeros((n_samples, ATOMS))
    for row in codes:
        row[drawn.permutation(ATOMS)[:K]] = drawn.uniform(0.5, 1.5, K)
    return codes


def subject(found: Callable[[np.ndarray], np.ndarray] = lambda z: z, **changes) -> Subject:
    """Return a subject with y = D z; its encoder's codes are `found` of the true ones."""
    d = dictionary()
    true = {split: true_codes(size, place) for place, (split, size) in enumerate(SIZES.items())}
    codes = {split: from_rows(sparse.csr_array(found(z))) for split, z in true.items()}
    fired = sum(np.bincount(each.atoms.numpy(), minlength=ATOMS) for each in codes.values())
    whole = {
        "name": "mine",
        "dictionary": d,
        "observations": {split: (z @ d.T).astype(np.float32) for split, z in true.items()},
        "codes": codes,
        "fired": fired,
        "n_counted": sum(SIZES.values()),
        "seen": np.zeros(SIZES[HELD_OUT], bool),
        "encode": lambda y: pursue(y, d, K),
    }
    return Subject(**(whole | changes))


def value(answer: Answer, condition: str, quantity: str, **where) -> float:
    """Return the one number of an answer that is asked for."""
    found = [
        row.value
        for row in answer.rows
        if (row.condition, row.quantity) == (condition, quantity)
        and all(getattr(row, key) == wanted for key, wanted in where.items())
    ]
    assert len(found) == 1, (condition, quantity, where, found)
    return found[0]
