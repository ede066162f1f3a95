"""What steps cost, as measured (measured.csv): seconds on one thread, and megabytes on disk.

Seconds are of one seed: a start, and a rate for each 10⁹ products (`sae_surgery.plan.costs` counts
them). They are upper bounds of nine jobs in ten that were recorded on a machine with two cores and
other work beside; `python -m benchmarks.seconds_of_steps` makes them anew from the manifests of
runs. Megabytes are those of one seed on the cell n100_k10_m47_s1000.

The Snakefile reads this at every start, so it imports nothing heavy.
"""

import csv
from functools import cache
from pathlib import Path
from typing import NamedTuple

from sae_surgery.problems.paper import Cell

TABLE = Path(__file__).with_name("measured.csv")
REFERENCE = Cell.parse("n100_k10_m47_s1000")

START_SECONDS = 2.2
"""Python with PyTorch loaded."""
GAIN_OF_THREADS = 0.5
"""Share of further threads that shortens a job."""
GAIN_OF_GPU = 60.0
"""How many times one thread a GPU is, where it pays. Assumed, not yet measured."""


class Measured(NamedTuple):
    """What one seed of one job costs."""

    jobs: int
    """Recorded jobs behind the seconds; 0 if there are none, and it counts as the slowest."""
    budget: int
    """Epochs, rounds or steps that a fit is given as published; 0 if it has no such setting."""
    seconds: float
    """Whatever the size of the cell."""
    rate: float
    """Seconds for each 10⁹ products."""
    dictionaries: float
    """Megabytes that grow with observed dimensions and latents."""
    codes: float
    """Megabytes that grow with samples and latents."""


@cache
def table() -> dict[tuple[str, str], Measured]:
    """Return what is measured, by step and part; a part without a name stands for all others."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {
            (row["step"], row["part"]): Measured(
                int(row["jobs"]),
                int(row["budget"] or 0),
                *(float(row[name]) for name in Measured._fields[2:]),
            )
            for row in csv.DictReader(file)
        }


def of(step: str, part: str) -> Measured:
    """Return what a step costs for a part, or for any that is not measured."""
    return table().get((step, part)) or table()[step, ""]
