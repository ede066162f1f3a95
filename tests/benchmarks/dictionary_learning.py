"""Dictionary learning: time until the dictionary comes close to the true one.

All start from the same random dictionary and see the same samples. How close they are, the mean
|cosine| of matched atoms, is measured while their clock stands still. It counts the processor's
seconds, which other work on the machine does not lengthen.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count

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
from sae_surgery.learning.incremental import IncrementalLearning, learn_incrementally
from sae_surgery.metrics.measures.dictionary import dictionary_metrics

OURS = "ours, incremental"
AT_1000 = (OURS, "scikit-learn MiniBatchDictionaryLearning", "SPAMS trainDL")
GOALS = (0.9, 0.95)
"""Mean cosines whose times are taken."""
AHEAD = 1.0
MAX_ROUNDS = 1000
FEW_SAMPLES = 64
"""On which everything is compiled and loaded before the clock is started."""
WARM_UP = 7
"""Looks until then: in round 5 incremental learning first looks for atoms to replace."""

Learner = Callable[[np.ndarray, np.ndarray, float, int, Look], None]


def comparisons(quick: bool) -> Iterator[Comparison]:
    """Yield n = 100 and 500 with 2500 and 10 000 samples, and n = 1000 with 10 000, on one thread.

    At n = 1000 only those take part that learn in batches.
    """
    for n_latents in (100,) if quick else (100, 500):
        for n_samples in (2500,) if quick else (2500, 10_000):
            limit = 10 if quick else 30
            yield chased("dictionary_learning", draw(n_latents, 2 * n_samples), learners(), limit)
    if not quick:
        fast = {name: learn for name, learn in learners().items() if name in AT_1000}
        yield chased("dictionary_learning", draw(1000, 20_000), fast, limit=120)


def learners() -> dict[str, Learner]:
    """Return all that take part, ours first."""
    return {
        OURS: incremental,
        "ours, 10 iterations a round": partial(_alternating, DictionaryLearning(n_iter=10)),
        "ours, as published": partial(_alternating, DictionaryLearning()),
        "scikit-learn MiniBatchDictionaryLearning": dictionaries.mini_batches,
        "scikit-learn DictionaryLearning": dictionaries.all_samples,
        "SPAMS trainDL": dictionaries.spams,
    }


def chased(name: str, drawn: Drawn, contestants: Mapping[str, Learner], limit: float) -> Comparison:
    """Return a comparison of the processor seconds to each of the `GOALS`, `limit` at most."""
    cell = drawn.cell
    y = drawn.observations[drawn.rows("val")]
    start = random_dictionary(cell.obs_dim, cell.n_latents, seeds=[0])[0].double().numpy()

    def chase(learn: Learner) -> Readings:
        looks = count(1)
        learn(y[:FEW_SAMPLES], start, LAM, 1, lambda _: next(looks) >= WARM_UP)
        clock = _Clock(drawn.dictionary, GOALS, limit)
        learn(y, start, LAM, 1, clock.look)
        return clock.readings()

    chasing = [
        Contestant(
            title,
            partial(chase, learn),
            once=True,
            target=float("nan") if title.startswith("ours") else AHEAD,
        )
        for title, learn in contestants.items()
    ]
    size = f"n = {cell.n_latents}, m = {cell.obs_dim}, {cell.n_val} samples"
    return Comparison(name, size, cell.n_latents, chasing, _closeness)


def incremental(
    observations: np.ndarray, start: np.ndarray, lam: float, threads: int, look: Look
) -> None:
    """Learn as `dl_scaled` does, with the penalties of its own; one round after the other."""
    y, d = (torch.from_numpy(x).float()[None] for x in (observations, start))
    settings = IncrementalLearning()
    budgets = range(1, settings.max_rounds + 1)
    for _, learned in learn_incrementally(y, d, [0], settings, budgets):
        if look(learned.dictionary[0].numpy()) or learned.converged.all():
            return


def _alternating(
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


def _closeness(clock: "_Clock") -> dict[str, float]:
    looks = {f"looks until cosine {goal:g}": number for goal, number in clock.looks.items()}
    return {"distance to the truth (1 − mean cosine)": 1 - clock.cosine, **looks}


class _Clock:
    """Runs while a learner learns, and stands still while its dictionary is looked at."""

    def __init__(self, truth: np.ndarray, goals: Sequence[float], limit: float) -> None:
        self.truth = truth
        self.limit = limit
        self.times = dict.fromkeys(goals, float("inf"))
        self.looks: dict[float, int] = {}
        """Looks until each goal that was reached; of ours, these are rounds."""
        self.n_looks = 0
        self.cosine = 0.0
        self.seconds = 0.0
        self.since = time.process_time()

    def look(self, dictionary: np.ndarray) -> bool:
        """Note which goals are reached; return whether all are, or time is up."""
        self.seconds += time.process_time() - self.since
        self.n_looks += 1
        self.cosine = dictionary_metrics(dictionary, self.truth).mean_cosine
        for goal in self.times:
            if self.cosine >= goal and goal not in self.looks:
                self.times[goal], self.looks[goal] = self.seconds, self.n_looks
        self.since = time.process_time()
        return len(self.looks) == len(self.times) or self.seconds > self.limit

    def readings(self) -> Readings:
        """Return the time at which each goal was reached, and itself for the rest."""
        values = {f"cosine {goal:g}": seconds for goal, seconds in self.times.items()}
        return Readings(values, self, limit=self.seconds)
