"""Is the encoder at fault? Its codes against solved ones, on its own decoder at its own L0."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np

from sae_surgery.examination import HELD_OUT, _solving
from sae_surgery.examination._codes import errors, explained, mean_l0, pick, quotient, spread
from sae_surgery.examination.base import Answer, Question, Row, Subject, tensor
from sae_surgery.inference.sparse import SparseCodes
from sae_surgery.inference.worth import iterations_worth

ITERATIONS = (0, 1, 2, 3, 5, 10, 20, 50, 100, 200)
"""Of FISTA, at which its objective is shown."""
MOST_ITERATED = 256
"""Held-out samples that it is run on."""
SWAPS = 8
"""Atoms of a sample that matching pursuit may exchange in the end."""
SOLVED = ("exchanged", "omp", "lasso_refitted", "gradient_pursuit")
"""Solved codes that the gap is to, the best of them."""
L0_TOLERANCE = 0.01
MAGNITUDES, SUPPORT, GAP = "magnitudes", "support", "gap"


class Encoder(Question):
    """Explained variance of the encoder's codes, of them refitted, and of solved codes."""

    place = 10
    title = "The encoder against solved codes"
    asks = (
        "Does the encoder find the codes that its own decoder explains most with? The decoder "
        "stays; codes are solved for with as many active atoms as the encoder has, in the mean "
        "for the lasso, and sample by sample for the pursuits. What refitting the values on the "
        "encoder's support gains is due to magnitudes; what the best solved codes gain beyond "
        "that, to the support."
    )
    along = "iteration"
    conditions: ClassVar = {
        "encoder": "encoder",
        "refitted": "encoder's support, values refitted (NNLS)",
        "gradient": f"likewise, {_solving.GRADIENT_STEPS} steps of projected gradient",
        "lasso": "exact lasso",
        "lasso_refitted": "exact lasso, values refitted",
        "gradient_pursuit": "gradient pursuit",
        "omp": "orthogonal matching pursuit",
        "exchanged": f"likewise, up to {SWAPS} atoms exchanged",
        MAGNITUDES: "of the gap: magnitudes",
        SUPPORT: "of the gap: support",
        GAP: "gap, encoder to the best solved codes",
        "from_zero": "FISTA from zero",
        "from_encoder": "FISTA from the encoder's codes",
    }
    quantities: ClassVar = {
        "explained_variance": "explained variance",
        "l0": "active atoms a sample",
        "gain": "gain in explained variance",
        "removed": "share of what the encoder leaves unexplained",
        "shrinkage": "refitted over own values, ratio of sums",
        "objective_excess": "lasso objective over its minimum, less 1, by iteration of FISTA",
        "iterations_worth": "iterations of FISTA from zero that the encoder is worth",
    }

    def answer(self, subject: Subject) -> Answer:
        """Solve for codes of each split, and compare."""
        rows, notes = [], []
        for split in subject.splits:
            solved, lam, said = _solve(subject, split)
            notes += said
            rows += _scores(subject, split, solved)
            if split == HELD_OUT and lam is not None and not subject.signed:
                found, said = _iterations(subject, lam, solved["lasso"])
                rows += found
                notes += said
        return Answer(rows, list(dict.fromkeys(notes)))


def _solve(subject: Subject, split: str) -> tuple[dict[str, SparseCodes], float | None, list[str]]:
    """Return the codes of each condition, λ, and what is to be said of them."""
    y, dictionary, signed = subject.observations[split], subject.dictionary, subject.signed
    own, notes, lam = subject.codes[split], [], None
    k = own.counts[0].numpy()
    solved = {"encoder": own, "refitted": _solving.refit(y, dictionary, own, signed)}
    if signed:
        notes.append(
            "The encoder's codes may be negative, and so may solved ones; projected gradient and "
            "gradient pursuit are for codes that may not, and left out."
        )
    else:
        solved["gradient"] = _solving.refit_with_gradient(y, dictionary, own)
    try:
        lam, solved["lasso"] = _solving.solve_lasso(y, dictionary, float(k.mean()), signed)
        solved["lasso_refitted"] = _solving.refit(y, dictionary, solved["lasso"], signed)
    except ValueError as error:
        notes.append(f"The lasso is left out: {error}.")
    if not signed:
        solved["gradient_pursuit"] = _solving.pursue_by_gradient(y, dictionary, k)
    solved["omp"] = _solving.pursue(y, dictionary, k, signed)
    solved["exchanged"] = _solving.pursue(y, dictionary, k, signed, SWAPS)
    return solved, lam, notes


def _scores(subject: Subject, split: str, solved: Mapping[str, SparseCodes]) -> Iterator[Row]:
    y, dictionary = subject.observations[split], subject.dictionary
    total = spread(y, subject.mean)
    error = {name: errors(y, codes, dictionary) for name, codes in solved.items()}
    for name, codes in solved.items():
        yield Row(name, "explained_variance", *explained(error[name], total), split)
        yield Row(name, "l0", *mean_l0(codes), split)
    best = _best(solved, error)
    differences = {
        MAGNITUDES: ("encoder", "refitted"),
        SUPPORT: ("refitted", best),
        GAP: ("encoder", best),
    }
    for name, (before, after) in differences.items():
        fallen = error[before] - error[after]
        yield Row(name, "gain", *quotient(fallen, total), split)
        yield Row(name, "removed", *quotient(fallen, error["encoder"]), split)
    own, refitted = (np.abs(solved[name].values.numpy()).sum() for name in ("encoder", "refitted"))
    if own > 0:
        yield Row("refitted", "shrinkage", float(refitted / own), split=split)


def _best(solved: Mapping[str, SparseCodes], error: Mapping[str, np.ndarray]) -> str:
    """Return which solved codes explain most, of those with no more active atoms than own ones."""
    most = (1 + L0_TOLERANCE) * float(solved["encoder"].counts.double().mean())
    allowed = [
        name
        for name in SOLVED
        if name in solved and float(solved[name].counts.double().mean()) <= most
    ]
    return min(allowed, key=lambda name: error[name].sum())


def _iterations(subject: Subject, lam: float, best: SparseCodes) -> tuple[list[Row], list[str]]:
    """Return how far FISTA has come after some iterations, from zero and from the encoder."""
    some = np.arange(min(len(subject.observations[HELD_OUT]), MOST_ITERATED))
    y, own = subject.observations[HELD_OUT][some], pick(subject.codes[HELD_OUT], some)
    unit, own, best = _solving.on_unit_atoms(subject.dictionary, own, pick(best, some))
    worth = iterations_worth(tensor(y), tensor(unit), own, lam, ITERATIONS[-1])
    penalty = lam * best.values.abs().sum() / len(some)
    least = errors(y, best, unit).mean() / 2 + float(penalty)
    curves = {"from_zero": worth.from_zeros, "from_encoder": worth.from_codes}
    rows = [
        Row(start, "objective_excess", float(curve.objective[at] / least - 1), at=float(at))
        for start, curve in curves.items()
        for at in ITERATIONS
    ]
    if worth.by_objective is None:
        return rows, [f"FISTA from zero takes more than {ITERATIONS[-1]} iterations to come there."]
    return [*rows, Row("encoder", "iterations_worth", float(worth.by_objective))], []
