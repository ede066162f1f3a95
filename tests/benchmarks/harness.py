"""Contestants run in turn, A B A B …, and are timed and judged."""

import gc
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Contestant:
    """One way to solve the problem of a comparison."""

    name: str
    run: Callable[[], Any] | None = None
    """Solves it and returns the answer, or `Readings`; None if there is nothing to judge."""
    scale: float = 1.0
    """What the seconds are multiplied by: above 1 for a part of the samples, below 1 for a rate."""
    tolerance: float = math.inf
    """Largest error of the answer that still counts as having solved the problem."""
    target: float = math.nan
    """How many times slower than ours it should be, where a target is set."""
    note: str = ""
    """What a reader must know, such as the part of the samples that was timed."""
    once: bool = False
    """Whether one run has to do, without warming up: for those that read the clock themselves."""
    skip: str = ""
    """Why it cannot take part; `run` is then not needed."""


@dataclass(frozen=True)
class Readings:
    """What a contestant returns that reads the clock, or another instrument, itself."""

    values: Mapping[str, float]
    """Value by what was reached; infinite where it was not."""
    answer: Any
    limit: float = math.inf
    """When it gave up: what was not reached took longer than this."""


@dataclass(frozen=True)
class Comparison:
    """A problem, and the contestants that solve it."""

    name: str
    size: str
    n_latents: int
    contestants: Sequence[Contestant]
    """Ours first: all ratios are to it."""
    judge: Callable[[Any], Mapping[str, float]]
    """Measures an answer, by this project's own code. The first measure is the answer's error."""
    threads: int = 1
    unit: str = "s"


@dataclass(frozen=True)
class Row:
    """How one contestant did."""

    comparison: str
    size: str
    n_latents: int
    threads: int
    contestant: str
    unit: str
    status: str
    """`ok`, `not reached`, or `skipped`, `failed` or `refused` with the reason."""
    values: tuple[float, ...] = ()
    ratio: float = math.nan
    """Median over the median of ours; the least that it can be where the status is `not reached`"""
    target: float = math.nan
    measures: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def median(self) -> float:
        """Median of the repeats, NaN if there are none."""
        return statistics.median(self.values) if self.values else math.nan

    @property
    def quartiles(self) -> tuple[float, float]:
        """First and third quartile of the repeats; both the value itself if there is one."""
        if len(self.values) < 2:
            return self.median, self.median
        first, _, third = statistics.quantiles(self.values, n=4, method="inclusive")
        return first, third

    @property
    def lowest(self) -> float:
        """Smallest of the repeats."""
        return min(self.values, default=math.nan)

    @property
    def verdict(self) -> str:
        """`met` or `missed`, or nothing where there is no target or no ratio."""
        if math.isnan(self.target) or math.isnan(self.ratio):
            return ""
        if self.status == "not reached" and self.ratio < self.target:
            return ""
        return "met" if self.ratio >= self.target else "missed"


def race(comparison: Comparison, repeats: int, patience: float) -> list[Row]:
    """Run the contestants in turn until each has its repeats.

    Parameters
    ----------
    repeats
        Timed runs of each contestant, after one that warms up and whose answer is judged.
    patience
        Seconds after which a contestant that has been timed at least once is not run again.

    Returns
    -------
    A row for each contestant; then, if contestants have several readings, for each of these. Who
    fails, is refused or cannot take part has a row too, with the reason.
    """
    with limited_threads(comparison.threads):
        entries = [_Entry(contestant, comparison) for contestant in comparison.contestants]
        for entry in entries:
            entry.warm_up()
            print(entry.first_word(), file=sys.stderr)
        for _ in range(repeats):
            for entry in entries:
                entry.repeat(patience)
    ours = {key: statistics.median(values) for key, values in entries[0].values.items()}
    rows = [row for entry in entries for row in entry.rows(ours)]
    sizes = list(dict.fromkeys(row.size for row in rows))
    return sorted(rows, key=lambda row: sizes.index(row.size))


class _Entry:
    """A contestant while the race is on."""

    def __init__(self, contestant: Contestant, comparison: Comparison) -> None:
        self.contestant = contestant
        self.comparison = comparison
        self.status = f"skipped: {contestant.skip}" if contestant.skip else "ok"
        self.values: dict[str, list[float]] = {}
        self.measures: Mapping[str, float] = {}
        self.limit = math.inf
        self.spent = 0.0

    def warm_up(self) -> None:
        """Run for the first time, and hold the answer against the tolerance."""
        readings = self._run()
        if readings is None:
            return
        self.limit = readings.limit
        try:
            if readings.answer is not None:
                self.measures = self.comparison.judge(readings.answer)
        except Exception as error:
            self.status = f"failed: {_reason(error)}"
            return
        name, error = next(iter(self.measures.items()), ("error", 0.0))
        if not error <= self.contestant.tolerance:
            self.status = f"refused: {name} {error:.1e} > {self.contestant.tolerance:.0e}"
        elif self.contestant.once:
            self._record(readings)

    def first_word(self) -> str:
        """Return what came of the first run, for those who wait."""
        measures = [f"{name} {value:.3g}" for name, value in self.measures.items()]
        return "  " + "; ".join([self.contestant.name, self.status, *measures])

    def repeat(self, patience: float) -> None:
        """Run again, unless it has spent its time."""
        over = self.contestant.once or self.spent > patience
        if self.status == "ok" and not (self.values and over):
            readings = self._run()
            if readings is not None:
                self._record(readings)

    def rows(self, ours: Mapping[str, float]) -> Iterator[Row]:
        """Yield the rows, given the medians of ours."""
        common = {
            "comparison": self.comparison.name,
            "n_latents": self.comparison.n_latents,
            "threads": self.comparison.threads,
            "contestant": self.contestant.name,
            "unit": self.comparison.unit,
            "measures": self.measures,
            "note": self.contestant.note,
        }
        if self.status != "ok":
            yield Row(**common, size=self.comparison.size, status=self.status)
            return
        for key, values in self.values.items():
            reached = math.isfinite(statistics.median(values))
            finite = tuple(values) if reached else (self.limit,)
            yield Row(
                **common,
                size=f"{self.comparison.size}, {key}" if key else self.comparison.size,
                status="ok" if reached else "not reached",
                values=finite,
                ratio=_ratio(statistics.median(finite), ours.get(key, math.nan)),
                target=self.contestant.target,
            )

    def _run(self) -> Readings | None:
        if self.status != "ok":
            return None
        gc.collect()
        start = time.perf_counter()
        try:
            answer = self.contestant.run()
        except Exception as error:
            self.status = f"failed: {_reason(error)}"
            return None
        seconds = time.perf_counter() - start
        self.spent += seconds
        if isinstance(answer, Readings):
            return answer
        return Readings({"": seconds * self.contestant.scale}, answer)

    def _record(self, readings: Readings) -> None:
        for key, value in readings.values.items():
            self.values.setdefault(key, []).append(value)


def _ratio(median: float, ours: float) -> float:
    return median / ours if 0 < ours < math.inf else math.nan


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


@contextmanager
def limited_threads(count: int) -> Iterator[None]:
    """Hold PyTorch, numba and the BLAS of numpy to a number of threads."""
    import numba
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads(), numba.get_num_threads()
    with threadpool_limits(count):
        torch.set_num_threads(count)
        numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
        try:
            yield
        finally:
            torch.set_num_threads(before[0])
            numba.set_num_threads(before[1])
