"""A planted truth: known codes on the SAE's own decoder, as they occur and recombined."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np
from scipy import sparse

from sae_surgery.examination import HELD_OUT, LEARN, _solving
from sae_surgery.examination._codes import as_rows, ratio
from sae_surgery.examination._planting import NEW_PAIRS, OWN, RECOMBINED, Planting
from sae_surgery.examination._prior import Whitened, WithPrior
from sae_surgery.examination._supports import correlation, f1, f1_of, overlap
from sae_surgery.examination.base import Answer, Question, Row, Subject

DISCOUNTS = (1.0, 0.9, 0.8, 0.7, 0.6)
"""ρ, of which the best on planted truths of rows to learn from is taken."""
MOST_SAMPLES = 2000
"""Samples of each planted truth."""
MOST_TUNED = 500
"""Samples of each that ρ is chosen on."""


class PlantedTruth(Question):
    """F1 of supports and correlation of codes, where the true ones are known."""

    place = 30
    title = "A planted truth"
    asks = (
        "Does the encoder recover codes that are known? The codes that the SAE itself finds become "
        "the truth, on its own decoder. They are taken as they occur; recombined, half of the "
        "atoms from one row and half from another that has many of them never seen together; and "
        "in pairs of atoms of which none is ever active together in any row that was drawn. With "
        "noise, observations have in addition gaussian noise of the size and covariance of the "
        "SAE's residual. All ways have the truth's mean number of active atoms, matching pursuit "
        "each sample's."
    )
    needs = ("encode",)
    along = "noise"
    places: ClassVar = {0.0: "without noise", 1.0: "with noise"}
    conditions: ClassVar = {
        "encoder": "encoder",
        "lasso_refitted": "exact lasso, values refitted",
        "omp": "orthogonal matching pursuit",
        "prior": "lasso with the encoder as a prior",
    }
    quantities: ClassVar = {
        "f1": "F1 of the support",
        "gain": "gain in F1 over the encoder",
        "mcc": "mean correlation of codes",
        "l0": "active atoms a sample",
        "true_l0": "truly active atoms a sample",
        "new_pairs": "share of pairs of atoms that are never active together",
    }
    splits: ClassVar = {
        OWN: "as they occur",
        RECOMBINED: "recombined",
        NEW_PAIRS: "pairs never seen",
    }

    def answer(self, subject: Subject) -> Answer:
        """Plant codes, and recover them in each way."""
        if subject.signed:
            return Answer([], ["Codes may be negative: planted truths are for those that may not."])
        if not subject.l0 > 0:
            return Answer([], ["The SAE has no active codes: nothing can be planted."])
        planting = Planting(subject)
        whitened = Whitened.of(subject.dictionary, planting.variances, planting.axes)
        discount, notes = _tune(subject, planting, whitened)
        rows = []
        for split, codes in planting.truths(HELD_OUT, MOST_SAMPLES).items():
            truth = np.diff(codes.indptr)
            rows.append(Row("encoder", "true_l0", float(truth.mean()), split=split))
            rows.append(Row("encoder", "new_pairs", planting.pairs.share_new(codes), split=split))
            for noisy in (False, True):
                y = planting.observe(codes, noisy)
                found, said = _recover(subject, y, truth)
                if noisy:
                    found |= _with_prior(y, whitened, found["encoder"], truth.mean(), discount)
                rows += _scores(found, codes, split, float(noisy))
                notes += said
        return Answer(rows, list(dict.fromkeys(notes)))


def _recover(
    subject: Subject, y: np.ndarray, counts: np.ndarray
) -> tuple[dict[str, sparse.csr_array], list[str]]:
    """Return codes of each way but the prior's, and what is to be said of them."""
    dictionary = subject.dictionary
    found, notes = {"encoder": as_rows(subject.encode(y))}, []
    try:
        _, lasso = _solving.solve_lasso(y, dictionary, float(counts.mean()))
        found["lasso_refitted"] = as_rows(_solving.refit(y, dictionary, lasso))
    except ValueError as error:
        notes.append(f"The lasso is left out: {error}.")
    found["omp"] = as_rows(_solving.pursue(y, dictionary, counts))
    return found, notes


def _with_prior(
    y: np.ndarray, whitened: Whitened, proposed: sparse.csr_array, l0: float, discount: float | None
) -> dict[str, sparse.csr_array]:
    if discount is None:
        return {}
    return {"prior": WithPrior(y, whitened, proposed, float(l0)).codes(discount)}


def _tune(
    subject: Subject, planting: Planting, whitened: Whitened
) -> tuple[float | None, list[str]]:
    """Choose ρ on planted truths of rows to learn from, and say how.

    It is the one that is best recombined, of those that are no worse than the encoder on codes as
    they occur; if all are worse there, the one that is best in the mean.
    """
    truths = planting.truths(LEARN, MOST_TUNED)
    scores: dict[str, list[float]] = {}
    of_encoder = {}
    try:
        for split in (OWN, RECOMBINED):
            codes = truths[split]
            y, l0 = planting.observe(codes, True), float(np.diff(codes.indptr).mean())
            proposed = as_rows(subject.encode(y))
            of_encoder[split] = f1(proposed, codes)[0]
            told = WithPrior(y, whitened, proposed, l0)
            scores[split] = [f1(told.codes(each), codes)[0] for each in DISCOUNTS]
    except ValueError as error:
        return None, [f"The lasso with a prior is left out: {error}."]
    own, apart = (np.array(scores[split]) for split in (OWN, RECOMBINED))
    as_good = own >= of_encoder[OWN]
    best = np.where(as_good, apart, -1).argmax() if as_good.any() else (own + apart).argmax()
    note = (
        "The lasso with a prior knows the noise's covariance, that of the SAE's residual, and "
        f"charges the encoder's atoms {DISCOUNTS[best]:g} times what it charges others; that was "
        "chosen on planted truths of the rows to learn from."
    )
    return DISCOUNTS[best], [note]


def _scores(
    found: Mapping[str, sparse.csr_array], truth: sparse.csr_array, split: str, noise: float
) -> Iterator[Row]:
    for name, codes in found.items():
        yield Row(name, "f1", *f1(codes, truth), split, noise)
        yield Row(name, "mcc", correlation(codes, truth), split=split, at=noise)
        yield Row(name, "l0", float(np.diff(codes.indptr).mean()), split=split, at=noise)
        if name != "encoder":
            yield Row(name, "gain", *_gain(found["encoder"], codes, truth), split, noise)


def _gain(
    before: sparse.csr_array, after: sparse.csr_array, truth: sparse.csr_array
) -> tuple[float, float, float]:
    """Return the difference in F1 on the same samples, and its interval."""
    sums = np.concatenate([overlap(before, truth), overlap(after, truth)], axis=1)
    return ratio(sums, lambda parts: f1_of(parts[..., 3:]) - f1_of(parts[..., :3]))
