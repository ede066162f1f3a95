"""What a job asks for: threads, memory, time and a GPU, from the sizes of its cell.

Upper bounds for a scheduler, not predictions: a job that asks for too little is killed.
"""

import math
from dataclasses import dataclass, replace

from sae_surgery import methods
from sae_surgery.config import Run
from sae_surgery.fresh import fresh_cell
from sae_surgery.problem import Cell

FLOAT32, FLOAT64 = 4, 8
BASE_MB = 1500
"""Python with PyTorch loaded."""
BASE_MINUTES = 20
CPU_FLOPS_A_THREAD = 5e9
GPU_FLOPS = 2e12
RECORDED_UP_TO = 10_000
N_RECORDED = 202
"""Dictionaries that a fit keeps to show how it learned, up to that many latents."""
N_SNAPSHOTS = 22
"""Codes that a surgery holds at once: a trajectory looked at at eleven places, of two splits."""
MANY_THREADS = 8
ONE_THREAD_UP_TO = 1_500_000
"""Samples times latents up to which a second thread gains less than a second job does."""


@dataclass(frozen=True)
class Cost:
    """What one job asks for."""

    threads: int
    mem_mb: int
    runtime: int
    """Minutes."""
    gpu: int = 0
    device: str = "cpu"
    """Value of the step's option `--device`."""


def simulate(cell: Cell, run: Run) -> Cost:
    """Return the cost of drawing a cell: dictionaries one seed at a time, samples one by one."""
    dictionary = FLOAT64 * cell.obs_dim * cell.n_latents
    samples = 4 * FLOAT64 * cell.k * 2 * cell.n_samples * len(run.seeds)
    # `choice` without replacement permutes all latents, for every sample.
    draws = cell.n_samples * cell.n_latents * len(run.seeds)
    return Cost(
        threads=1,
        mem_mb=_megabytes(3 * dictionary + samples),
        runtime=_minutes(draws / 2e7),
    )


def renew(cell: Cell, run: Run) -> Cost:
    """Return the cost of drawing fresh samples of a cell, whose dictionary is copied."""
    drawn = simulate(fresh_cell(cell), run)
    dictionary = 2 * len(run.seeds) * FLOAT64 * cell.obs_dim * cell.n_latents
    return replace(drawn, mem_mb=drawn.mem_mb + math.ceil(dictionary / 1e6))


def fit(cell: Cell, method: str, run: Run) -> Cost:
    """Return the cost of fitting a method.

    It is that of 1000 rounds of dictionary learning with 100 iterations each, which bounds the
    other methods too; a method that cannot run on the cell only says so.
    """
    if is_skipped(cell, method):
        return Cost(threads=1, mem_mb=BASE_MB, runtime=BASE_MINUTES)
    device = _device(cell, method, run)
    threads = _threads(cell)
    recorded = N_RECORDED if cell.n_latents <= RECORDED_UP_TO else 0
    dictionaries = (8 + recorded) * FLOAT32 * cell.obs_dim * cell.n_latents
    codes = 6 * FLOAT32 * _n_coded(cell, run) * cell.n_latents
    pairs = (methods.trait(method, "atom_pairs") or 0) * FLOAT32 * cell.n_latents**2
    flops = len(run.seeds) * 1000 * 100 * 4 * cell.n_val * cell.obs_dim * cell.n_latents
    rate = CPU_FLOPS_A_THREAD * threads if device == "cpu" else GPU_FLOPS
    return Cost(
        threads=threads,
        mem_mb=_megabytes(len(run.seeds) * (dictionaries + codes + pairs)),
        runtime=_minutes(flops / rate),
        gpu=int(device != "cpu"),
        device=device,
    )


def operate(cell: Cell, method: str, run: Run) -> Cost:
    """Return the cost of a surgery; the longest learns two dictionaries and bounds the others."""
    if is_skipped(cell, method):
        return Cost(threads=1, mem_mb=BASE_MB, runtime=BASE_MINUTES)
    learning = fit(cell, "dl_fista", run)
    snapshots = N_SNAPSHOTS * FLOAT32 * _n_coded(cell, run) * cell.n_latents * len(run.seeds)
    return replace(
        learning, mem_mb=learning.mem_mb + _megabytes(snapshots), runtime=2 * learning.runtime
    )


def is_skipped(cell: Cell, method: str) -> bool:
    """Return whether a method cannot run on a cell of that size, and only says so."""
    limit = methods.trait(method, "max_latents")
    return limit is not None and cell.n_latents > limit


def evaluate(cell: Cell, run: Run) -> Cost:
    """Return the cost of scoring all methods on a cell, one method and seed at a time."""
    n_scored = _n_coded(cell, run) // 2
    active = min(cell.n_latents, cell.k * n_scored)
    dense = 4 * FLOAT64 * n_scored * cell.n_latents
    pairs = 3 * FLOAT64 * active * cell.n_latents
    n_methods = len(run.fitted_on(cell.name))
    # Correlations of all pairs, and the assignment of columns to each other.
    flops = 2 * n_scored * active * cell.n_latents + 50 * active**2 * math.sqrt(cell.n_latents)
    threads = _threads(cell)
    return Cost(
        threads=threads,
        mem_mb=_megabytes(dense + pairs),
        runtime=_minutes(2 * len(run.seeds) * n_methods * flops / CPU_FLOPS_A_THREAD),
    )


def _n_coded(cell: Cell, run: Run) -> int:
    """Return the number of samples, of which about half are the larger split that is scored."""
    return 2 * fresh_cell(cell).n_samples if run.protocol == "strict" else cell.n_samples


def _device(cell: Cell, method: str, run: Run) -> str:
    """Return where a fit runs: on the CPU wherever a GPU does not pay."""
    pays_from = methods.trait(method, "gpu_from")
    pays = pays_from is not None and cell.n_latents >= pays_from
    return run.device if pays else "cpu"


def _threads(cell: Cell) -> int:
    small = cell.n_latents * cell.n_samples <= ONE_THREAD_UP_TO
    return 1 if small else MANY_THREADS


def _megabytes(size: float) -> int:
    return BASE_MB + math.ceil(size / 1e6)


def _minutes(seconds: float) -> int:
    return BASE_MINUTES + math.ceil(2 * seconds / 60)
