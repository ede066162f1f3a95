"""A planted truth: known codes on the SAE's own decoder, as they occur and recombined."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from sae_surgery.examination import HELD_OUT, LEARN
from sae_surgery.examination._codes import as_rows, from_rows, reconstruct
from sae_surgery.examination._prior import calibrate
from sae_surgery.examination._recombination import recombine
from sae_surgery.examination.base import Answer, Question, Row, Subject, seeded

OWN, RECOMBINED = "own", "recombined"
MOST_SAMPLES = 2000
"""Samples of each planted truth."""
RECOMBINE_STREAM, NOISE_STREAM, CALIBRATE_STREAM = 61, 67, 71


@dataclass(frozen=True)
class Planted:
    """Known codes and what is observed of them."""

    codes: sparse.csr_array
    """(sample, atom)"""
    observations: np.ndarray
    """D z, perhaps with noise, (sample, obs), float32."""


class PlantedTruth(Question):
    """F1 of supports and correlation of codes, where the true ones are known."""

    place = 30
    title = "A planted truth"
    asks = (
        "Does the encoder recover codes that are known? The codes that the SAE itself finds become "
        "the truth, on its own decoder: as they occur, and with atoms recombined into pairs that "
        "are never active together in any row that was drawn. With noise, observations have in "
        "addition gaussian noise of the size and covariance of the SAE's residual."
    )
    needs = ("encode",)
    along = "noise"
    conditions: ClassVar = {
        "encoder": "encoder",
        "lasso_refitted": "exact lasso, values refitted",
        "omp": "orthogonal matching pursuit",
        "prior": "matching pursuit with the encoder as a prior",
    }
    quantities: ClassVar = {
        "f1": "F1 of the support",
        "mcc": "mean correlation of codes",
        "l0": "active atoms a sample",
        "true_l0": "truly active atoms a sample",
        "incomplete": "share of recombined samples with fewer atoms than wanted",
    }
    splits: ClassVar = {OWN: "as they occur", RECOMBINED: "recombined"}

    def answer(self, subject: Subject) -> Answer:
        """Plant codes, and recover them in each way."""
        plant = Planting(subject)
        rows, notes = [], []
        prior = calibrate(subject, plant)
        for split, codes in (
            (OWN, plant.own(HELD_OUT)),
            (RECOMBINED, plant.recombined(HELD_OUT, RECOMBINE_STREAM)),
        ):
            if not codes.nnz:
                notes.append("The SAE has no active codes: nothing can be planted.")
                continue
            truth = np.diff(codes.indptr)
            rows.append(Row("encoder", "true_l0", float(truth.mean()), split=split))
            if split == RECOMBINED:
                short = truth < plant.counts(HELD_OUT)
                rows.append(Row("encoder", "incomplete", float(short.mean()), split=split))
            for noisy in (False, True):
                planted = plant.observe(codes, noisy, NOISE_STREAM)
                found, said = _recover(subject, planted, prior if noisy else None)
                notes += said
                rows += _scores(found, planted.codes, split, float(noisy))
        notes += [prior.remark]
        return Answer(rows, list(dict.fromkeys(notes)))


class Planting:
    """Draws planted truths of a subject."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.codes = {split: as_rows(codes) for split, codes in subject.codes.items()}
        learn = subject.observations[LEARN]
        residual = learn - reconstruct(subject.codes[LEARN], subject.dictionary)
        moment = residual.T.astype(np.float64) @ residual / len(residual)
        variances, axes = np.linalg.eigh(moment)
        self.variances, self.axes = np.clip(variances, 0, None), axes

    def own(self, split: str) -> sparse.csr_array:
        """Return codes as they occur."""
        return self.codes[split][:MOST_SAMPLES]

    def counts(self, split: str) -> np.ndarray:
        """Return the numbers of active atoms of `own`, (sample,)."""
        return np.diff(self.own(split).indptr)

    def recombined(self, split: str, stream: int) -> sparse.csr_array:
        """Return codes with the counts of `own`, in pairs that occur in no row."""
        both = sparse.csr_array(sparse.vstack([self.codes[LEARN], self.codes[HELD_OUT]]))
        return recombine(both, self.counts(split), seeded(self.subject, stream))

    def observe(self, codes: sparse.csr_array, noisy: bool, stream: int) -> Planted:
        """Return codes with observations of them."""
        y = reconstruct(from_rows(codes), self.subject.dictionary)
        if noisy:
            drawn = seeded(self.subject, stream).standard_normal(y.shape)
            y = y + ((drawn * np.sqrt(self.variances)) @ self.axes.T).astype(y.dtype)
        return Planted(codes, np.ascontiguousarray(y, dtype=np.float32))
