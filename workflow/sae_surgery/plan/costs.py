"""What a job asks for: threads, memory, time and a GPU, from the sizes of its cell.

Upper bounds for a scheduler, not predictions: a job that asks for too little is killed. Memory is
the sum of what a step holds at its largest, array by array; `benchmarks.memory_of_steps` measures
what steps use, and a unit test compares the two (docs/memory.csv).
"""

import math
from dataclasses import dataclass, replace

from sae_surgery import surgeries
from sae_surgery.plan.config import Run
from sae_surgery.problems.base import Problem

INT32, FLOAT32, FLOAT64 = 4, 4, 8
LIGHT_MB = 250
"""Python with NumPy, xarray and NetCDF, for steps that need no PyTorch."""
BASE_MB = 850
"""Python with PyTorch and Numba, which takes 0.2 GB while it compiles for the first time."""
GPU_MB = 1500
"""CUDA's libraries in the memory of the machine. Assumed, not yet measured."""
BASE_MINUTES = 20
CPU_FLOPS_A_THREAD = 5e9
GPU_FLOPS = 2e12
DENSE_CODES = 2**28
"""As in `sae_surgery.files.encoding`, which imports PyTorch."""
MOST_OUTCOMES, MOST_CODES_HELD = 51, 13
"""Of any surgery."""
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


def simulate(cell: Problem, run: Run) -> Cost:
    """Return the cost of drawing a problem."""
    return _draw(cell, cell.n_train + cell.n_val + cell.n_ood, run)


def renew(cell: Problem, run: Run) -> Cost:
    """Return the cost of drawing fresh samples of a problem, whose dictionary is copied."""
    return _draw(cell, sum(cell.fresh_samples()), run)


def _draw(cell: Problem, n_drawn: int, run: Run) -> Cost:
    """Return the cost of drawing dictionaries one seed at a time, and so many samples."""
    dictionary = FLOAT64 * cell.obs_dim * cell.n_latents
    # Index and value of each active latent, and observations that are kept, by sample, by seed and
    # stacked.
    n_numbers = (INT32 + FLOAT64) * cell.k + FLOAT64 * cell.obs_dim * cell.keeps_observations
    samples = 3 * n_numbers * n_drawn * len(run.seeds)
    # `choice` without replacement permutes all latents, for every sample.
    draws = n_drawn * cell.n_latents * len(run.seeds)
    return Cost(
        threads=1,
        mem_mb=LIGHT_MB + _megabytes(2 * dictionary + samples),
        runtime=_minutes(draws / 3e7),
    )


def fit(cell: Problem, method: str, run: Run, fresh: bool = False) -> Cost:
    """Return the cost of fitting a method and inferring codes, of the cell's or of fresh samples.

    To infer codes by a model that is there asks for the same. The time is that of 1000 rounds of
    dictionary learning with 100 iterations each, which bounds the other methods too; a method that
    cannot run on the cell only says so.
    """
    if is_skipped(cell, method, run):
        return Cost(threads=1, mem_mb=BASE_MB, runtime=BASE_MINUTES)
    seeds, device, threads = len(run.seeds), _device(cell, method, run), _threads(cell)
    pairs = (run.trait(method, "atom_pairs") or 0) * FLOAT32 * cell.n_latents**2
    learned = (run.trait(method, "codes_learned") or 0) * FLOAT32 * cell.n_val * cell.n_latents
    flops = seeds * 1000 * 100 * 4 * cell.n_val * cell.obs_dim * cell.n_latents
    rate = CPU_FLOPS_A_THREAD * threads if device == "cpu" else GPU_FLOPS
    # Codes learned are gone when all codes are inferred.
    held = seeds * pairs + max(seeds * learned, _inferred(cell, method, run, fresh))
    return Cost(
        threads=threads,
        mem_mb=BASE_MB + GPU_MB * (device != "cpu") + _megabytes(_model(cell, method, run) + held),
        runtime=_minutes(flops / rate),
        gpu=int(device != "cpu"),
        device=device,
    )


def operate(cell: Problem, surgery: str, method: str, run: Run) -> Cost:
    """Return the cost of a surgery; the longest learns two dictionaries, which bounds the time."""
    if is_skipped(cell, method, run):
        return Cost(threads=1, mem_mb=BASE_MB, runtime=BASE_MINUTES)
    learning = fit(cell, "dl_fista", run)
    seeds = len(run.seeds)
    n_samples = sum(_n_scored(cell, run.protocol == "strict"))
    outcomes = surgeries.trait(surgery, "outcomes") or MOST_OUTCOMES
    held = surgeries.trait(surgery, "codes_held") or MOST_CODES_HELD
    # The patient's codes are there twice while they are read.
    codes = (held + 2) * FLOAT32 * n_samples * cell.n_latents
    dense = run.trait(method, "dense") and not surgeries.trait(surgery, "sparse")
    n_active = cell.n_latents if dense else cell.obs_dim
    packed = (INT32 + FLOAT32) * outcomes * n_samples * n_active
    # One by one and stacked.
    dictionaries = 2 * FLOAT32 * outcomes * cell.obs_dim * cell.n_latents
    pairs = (surgeries.trait(surgery, "atom_pairs") or 0) * FLOAT32 * cell.n_latents**2
    size = _model(cell, method, run) + seeds * (codes + packed + dictionaries + pairs)
    return replace(
        learning,
        mem_mb=BASE_MB + GPU_MB * learning.gpu + _megabytes(size),
        runtime=2 * learning.runtime,
    )


def is_skipped(cell: Problem, method: str, run: Run) -> bool:
    """Return whether a method cannot run on a cell of that size, and only says so."""
    limit = run.trait(method, "max_latents")
    return limit is not None and cell.n_latents > limit


def evaluate(cell: Problem, run: Run) -> Cost:
    """Return the cost of scoring codes on a cell, one seed of one method at a time.

    It is that of `assess`, too, and of `audit` but for the time.
    """
    n_id, n_ood = _n_scored(cell, run.protocol == "strict")
    # True and inferred codes, in double precision; of those in distribution, their directions and
    # either masks or, under the paper's protocol, active latents and noise that fills them up.
    n_dense = 2 * (n_id + n_ood) + (2 if run.protocol == "strict" else 3) * n_id
    # Correlations or cosines, and what they are matched by.
    pairs = 3 * FLOAT64 * cell.n_latents**2
    active = min(cell.n_latents, cell.k * n_id)
    # Correlations of all pairs, and the assignment of columns to each other.
    flops = 2 * n_id * active * cell.n_latents + 50 * active**2 * math.sqrt(cell.n_latents)
    n_methods = len(run.fitted_on(cell.name))
    return Cost(
        threads=_threads(cell),
        mem_mb=BASE_MB + _megabytes(FLOAT64 * n_dense * cell.n_latents + pairs),
        runtime=_minutes(2 * len(run.seeds) * n_methods * flops / CPU_FLOPS_A_THREAD),
    )


def audit(cell: Problem, run: Run) -> Cost:
    """Return the cost of an audit: methods are scored five times, one after the other."""
    scoring = evaluate(cell, run)
    return replace(scoring, runtime=5 * scoring.runtime)


def tabulate() -> Cost:
    """Return the cost of a table."""
    return Cost(threads=1, mem_mb=LIGHT_MB, runtime=BASE_MINUTES)


def _model(cell: Problem, method: str, run: Run) -> float:
    """Return the bytes of a model with its records, and of what it was made of."""
    # The true dictionary in double and in single precision, padded, scaled, and the model's own.
    n_dictionaries = 8 + (run.trait(method, "dictionaries_recorded") or 0)
    return len(run.seeds) * n_dictionaries * FLOAT32 * cell.obs_dim * cell.n_latents


def _inferred(cell: Problem, method: str, run: Run, fresh: bool) -> float:
    """Return the bytes of codes while they are inferred and packed."""
    seeds = len(run.seeds)
    n_id, n_ood = _n_scored(cell, fresh)
    n_columns = cell.obs_dim if run.trait(method, "narrow") else cell.n_latents
    n_active = n_columns if run.trait(method, "dense") else cell.obs_dim
    # The codes, those before them, and two arrays to work with.
    dense = 4 * FLOAT32 * min(DENSE_CODES, seeds * n_id * n_columns)
    # Once in parts and once joined.
    packed = 2 * (INT32 + FLOAT64) * seeds * (n_id + n_ood) * n_active
    return dense + packed


def _n_scored(cell: Problem, fresh: bool) -> tuple[int, int]:
    """Return the numbers of samples that are scored, in and out of distribution."""
    return cell.fresh_samples() if fresh else (cell.n_val, cell.n_ood)


def _device(cell: Problem, method: str, run: Run) -> str:
    """Return where a fit runs: on the CPU wherever a GPU does not pay."""
    pays_from = run.trait(method, "gpu_from")
    pays = pays_from is not None and cell.n_latents >= pays_from
    return run.device if pays else "cpu"


def _threads(cell: Problem) -> int:
    small = cell.n_latents * (cell.n_train + cell.n_val) <= ONE_THREAD_UP_TO
    return 1 if small else MANY_THREADS


def _megabytes(size: float) -> int:
    return math.ceil(size / 1e6)


def _minutes(seconds: float) -> int:
    return BASE_MINUTES + math.ceil(2 * seconds / 60)
