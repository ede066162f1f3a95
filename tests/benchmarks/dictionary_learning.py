"""Dictionary learning: time until the dictionary comes close to the true one.

All start from the same random dictionary and see the same samples. How close they are, the mean
|cosine| of matched atoms, is measured while their clock stands still.
"""

import time
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch

from benchmarks.harness import Comparison, Contestant, Readings
from benchmarks.peers import dictionaries
from benchmarks.peers.dictionaries import Look
from benchmarks.problems import LAM, Drawn, draw
from sae_surgery.learning.dictionary_learning import (
    DictionaryLearning,
    learning_trajectory,
    random_dictionary,
)
from sae_surgery.metrics.dictionary import dictionary_metrics

GOALS = (0.9, 0.95)
"""Mean cosines whose times are taken."""
AHEAD = 1.0
MAX_ROUNDS = 1000


def comparisons(quick: bool) -> Iterator[Comparison]:
    """Yield n = 100 and 500 with 2500 and 10 000 samples, on one thread."""
    for n_latents in (100,) if quick else (100, 500):
        for n_samples in (2500,) if quick else (2500, 10_000):
            yield _comparison(draw(n_latents, 2 * n_samples), limit=10 if quick else 30)


def _comparison(drawn: Drawn, limit: float) -> Comparison:
    cell = drawn.cell
    y = drawn.observations[drawn.rows("val")]
    start = random_dictionary(cell.obs_dim, cell.n_latents, seeds=[0])[0].double().numpy()
    learners = {
        "ours, 10 iterations a round": partial(_ours, DictionaryLearning(n_iter=10)),
        "ours, as published": partial(_ours, DictionaryLearning()),
        "scikit-learn MiniBatchDictionaryLearning": dictionaries.mini_batches,
        "scikit-learn DictionaryLearning": dictionaries.all_samples,
        "SPAMS trainDL": dictionaries.spams,
    }

    def chase(learn) -> Readings:
        clock = _Clock(drawn.dictionary, GOALS, limit)
        learn(y, start, LAM, 1, clock.look)
        return clock.readings()

    contestants = [
        Contestant(
            name,
            partial(chase, learn),
            once=True,
            target=float("nan") if name.startswith("ours") else AHEAD,
        )
        for name, learn in learners.items()
    ]
    size = f"n = {cell.n_latents}, m = {cell.obs_dim}, {cell.n_val} samples"
    return Comparison("dictionary_learning", size, cell.n_latents, contestants, _closeness)


def _ours(
    settings: DictionaryLearning,
    observations: np.ndarray,
    start: np.ndarray,
    lam: float,
    threads: int,
    look: Look,
) -> None:
    y, d = (torch.from_numpy(x).float()[None] for x in (observations, start))
    budgets = range(1, MAX_ROUNDS + 1)
    for _, learned in learning_trajectory(y, d, settings, budgets):
        if look(learned.dictionary[0].numpy()):
            return


def _closeness(cosine: float) -> dict[str, float]:
    return {"distance to the truth (1 − mean cosine)": 1 - cosine}


class _Clock:
    """Runs while a learner learns, and stands still while its dictionary is looked at."""

    def __init__(self, truth: np.ndarray, goals: Sequence[float], limit: float) -> None:
        self.truth = truth
        self.limit = limit
        self.times = dict.fromkeys(goals, float("inf"))
        self.cosine = 0.0
        self.seconds = 0.0
        self.since = time.perf_counter()

    def look(self, dictionary: np.ndarray) -> bool:
        """Note which goals are reached; return whether all are, or time is up."""
        self.seconds += time.perf_counter() - self.since
        self.cosine = dictionary_metrics(dictionary, self.truth).mean_cosine
        for goal, reached_at in self.times.items():
            if self.cosine >= goal:
                self.times[goal] = min(reached_at, self.seconds)
        self.since = time.perf_counter()
        return self.cosine >= max(self.times) or self.seconds > self.limit

    def readings(self) -> Readings:
        """Return the time at which each goal was reached, and the last mean cosine."""
        values = {f"cosine {goal:g}": seconds for goal, seconds in self.times.items()}
        return Readings(values, self.cosine, limit=self.seconds)
