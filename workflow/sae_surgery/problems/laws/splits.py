"""The samples of one seed by split, dense, for work in memory; files have `files.data` for it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sae_surgery.problems.base import SPLITS, Drawn, Problem
from sae_surgery.problems.laws.sampling import dense_codes, labels, observe


class Samples(NamedTuple):
    """The samples of one split."""

    observations: NDArray[np.floating]
    """Y (sample, obs)."""
    codes: NDArray[np.float64] | None
    """Z (sample, latent), where it is known."""
    labels: NDArray[np.bool_] | None
    """Binary labels (sample,), where there are any."""


def by_split(problem: Problem, drawn: Drawn) -> dict[str, Samples]:
    """Return the samples that `problem.draw` drew, by split; splits without any are left out."""
    observations, codes, answers = drawn.observations, None, drawn.labels
    if drawn.support is not None:
        codes = dense_codes(drawn.support, drawn.magnitude, problem.n_latents)
        if observations is None:
            observations = observe(drawn.dictionary, drawn.support, drawn.magnitude)
        if answers is None:
            answers = labels(drawn.support, drawn.magnitude)
    found, start = {}, 0
    for split, size in zip(SPLITS, (problem.n_train, problem.n_val, problem.n_ood), strict=True):
        rows = slice(start, start + size)
        parts = (None if part is None else part[rows] for part in (observations, codes, answers))
        found |= {split: Samples(*parts)} if size else {}
        start += size
    return found
