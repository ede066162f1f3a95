"""What `dictionary_scaling` leaves: a figure of what it costs to come close, and its numbers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from benchmarks.harness import Row
from benchmarks.problems import SAMPLES_PER_LATENT, K
from sae_surgery.drawing import style
from sae_surgery.learning.incremental import IncrementalLearning
from sae_surgery.machine.atomic import write_text
from sae_surgery.problems.laws.sizes import compressed_sensing_dim

LARGEST = 3
"""Sizes whose growth is fitted; at the smallest, time goes into what does not depend on n."""


def write(folder: Path, rows: Sequence[Row]) -> list[Path]:
    """Write figure and table, and return their paths; nothing if no goal was reached twice."""
    table = reached(rows)
    if table.empty or table.groupby("goal").size().max() < 2:
        return []
    with style.applied():
        figure = _draw(table)
    paths = [folder / f"dictionary_scaling.{kind}" for kind in ("png", "pdf")]
    style.save(figure, paths)
    numbers = folder / "dictionary_scaling.csv"
    write_text(numbers, table.to_csv(index=False, float_format="%.4g"))
    return [*paths, numbers]


def reached(rows: Sequence[Row]) -> pd.DataFrame:
    """Give processor seconds, rounds and the least work of each goal reached."""
    found = []
    for row in rows:
        if row.comparison == "dictionary_scaling" and row.status == "ok":
            goal = row.size.rpartition(", ")[2]
            rounds = round(row.measures[f"looks until {goal}"])
            work = rounds * round_gflop(row.n_latents)
            found.append((row.n_latents, goal, row.median, rounds, work))
    return pd.DataFrame(found, columns=["n_latents", "goal", "seconds", "rounds", "gflop"])


def round_gflop(n_latents: int) -> float:
    """Return the least work of a round of incremental learning, in 1e9 operations.

    It is that of its dense products: each sample's correlations with all atoms, looked at once, and
    a sweep over all atoms for each batch.
    """
    obs_dim = compressed_sensing_dim(n_latents, K)
    correlations = SAMPLES_PER_LATENT * n_latents * n_latents * obs_dim
    sweeps = IncrementalLearning().n_batches * n_latents * n_latents * obs_dim
    return 2e-9 * (correlations + sweeps)


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return b of the costs a n^b that fit best, in logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def _draw(table: pd.DataFrame) -> Figure:
    figure = Figure(figsize=(style.TEXT_WIDTH, 0.36 * style.TEXT_WIDTH), layout="constrained")
    units = {"seconds": "Processor seconds", "gflop": "Least work (Gflop)"}
    for axes, (cost, unit) in zip(figure.subplots(1, 2), units.items(), strict=True):
        for index, (goal, points) in enumerate(table.groupby("goal")):
            largest = points.tail(LARGEST)
            growth = exponent(largest["n_latents"], largest[cost])
            label = f"{goal}: $n^{{{growth:.1f}}}$ at the end"
            look = {"marker": "os"[index % 2], "linewidth": 1.1, "label": label}
            axes.plot(points["n_latents"], points[cost], **look)
        axes.set(xscale="log", yscale="log", xlabel="Number of latents n", ylabel=unit)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks(table["n_latents"].unique(), table["n_latents"].unique())
        axes.legend(fontsize=style.LEGEND_SIZE)
    return figure
