"""Peak memory of the oracle on the largest cells, through the commands that the workflow calls."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks.harness import Comparison, Contestant, Readings
from sae_surgery.problems.laws.sizes import compressed_sensing_dim
from sae_surgery.problems.paper import Cell

LIMITS = {(10_000, 100_000): 8.0, (1_000_000, 1000): 16.0}
"""GB by latents and samples."""
N_ITER = 10
"""Iterations: memory does not depend on them, and a hundred would take ten minutes."""


def comparisons(quick: bool) -> Iterator[Comparison]:
    """Yield both cells; a quick run leaves them out, as they take minutes."""
    for (n_latents, n_samples), limit in {}.items() if quick else LIMITS.items():
        cell = Cell(n_latents, 10, compressed_sensing_dim(n_latents, 10), n_samples)
        bound = Readings({"": limit}, None)
        contestants = [
            Contestant(
                "ours", partial(_peak, cell), once=True, note=f"{N_ITER} iterations, seed 0"
            ),
            Contestant("bound", lambda bound=bound: bound, target=1, note="what is asked for"),
        ]
        size = f"fista_oracle, n = {n_latents}, {n_samples} samples"
        yield Comparison("memory", size, n_latents, contestants, dict, threads=2, unit="GB")


def _peak(cell: Cell) -> Readings:
    """Return the larger of the peaks of drawing the cell and of inferring its codes."""
    with tempfile.TemporaryDirectory() as folder:
        data, model, codes = (
            str(Path(folder, f"{part}.nc")) for part in ("data", "model", "codes")
        )
        simulate = ("simulate", "--cell", cell.name, "--seeds", "0", "--output", data)
        fit = ("fit", "--method", "fista_oracle", "--data", data, "--model", model)
        fit += ("--codes", codes, "--device", "cpu", "--threads", "2")
        fit += ("--settings", f'{{"n_iter": {N_ITER}}}')
        return Readings({"": max(map(_peak_of, (simulate, fit)))}, None)


def _peak_of(step: Sequence[str]) -> float:
    """Run a step of the package in a process of its own and return its peak memory in GB."""
    process = subprocess.Popen([sys.executable, "-m", "sae_surgery", *step])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"sae-surgery {step[0]} ended with {process.returncode}")
    return usage.ru_maxrss * 1024 / 1e9
