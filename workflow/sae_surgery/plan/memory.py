"""Megabytes of memory that a step holds at its largest, from the sizes of its cell, array by array.

Upper bounds for a scheduler: a job that asks for too little is killed.
`benchmarks.memory_of_steps` measures what steps use, and a unit test compares the two
(docs/memory.csv).
"""

import math

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
DENSE_CODES = 2**28
"""As in `sae_surgery.files.encoding`, which imports PyTorch."""
FEW_LATENTS = 100
"""So many may all be active in codes that are otherwise dense in part."""
MOST_OUTCOMES, MOST_CODES_HELD = 51, 13
"""Of any surgery."""


def draw(cell: Problem, n_drawn: int, run: Run) -> int:
    """Return the memory of drawing so many samples, and dictionaries one seed at a time."""
    dictionary = FLOAT64 * cell.obs_dim * cell.n_latents
    # Index and value of each active latent, and observations that are kept, by sample, by seed and
    # stacked.
    n_numbers = (INT32 + FLOAT64) * cell.k + FLOAT64 * cell.obs_dim * cell.keeps_observations
    samples = 3 * n_numbers * n_drawn * len(run.seeds)
    return LIGHT_MB + _megabytes(2 * dictionary + samples)


def fit(cell: Problem, method: str, run: Run, fresh: bool) -> int:
    """Return the memory of fitting a method and inferring codes, of the cell's or fresh samples.

    To infer codes by a model that is there asks for the same.
    """
    seeds = len(run.seeds)
    pairs = (run.trait(method, "atom_pairs") or 0) * FLOAT32 * cell.n_latents**2
    learned = (run.trait(method, "codes_learned") or 0) * FLOAT32 * cell.n_val * cell.n_latents
    # Codes learned are gone when all codes are inferred.
    held = seeds * pairs + max(seeds * learned, _inferred(cell, method, run, fresh))
    return BASE_MB + _megabytes(_model(cell, method, run) + held)


def operate(cell: Problem, surgery: str, method: str, run: Run) -> int:
    """Return the memory of a surgery on the model of a method."""
    n_samples = sum(n_scored(cell, run.protocol == "strict"))
    outcomes = surgeries.trait(surgery, "outcomes") or MOST_OUTCOMES
    held = surgeries.trait(surgery, "codes_held") or MOST_CODES_HELD
    # The patient's codes are there twice while they are read.
    codes = (held + 2) * FLOAT32 * n_samples * cell.n_latents
    own = _n_active(cell, method, run)
    n_active = cell.obs_dim if surgeries.trait(surgery, "sparse") else own
    # The patient's own: as they were read, and as an outcome in parts, joined, and in the file.
    packed = (INT32 + FLOAT32) * n_samples * (outcomes * n_active + 4 * own)
    # One by one and stacked.
    dictionaries = 2 * FLOAT32 * outcomes * cell.obs_dim * cell.n_latents
    pairs = (surgeries.trait(surgery, "atom_pairs") or 0) * FLOAT32 * cell.n_latents**2
    each = codes + packed + dictionaries + pairs
    return BASE_MB + _megabytes(_model(cell, method, run) + len(run.seeds) * each)


def score(cell: Problem, run: Run) -> int:
    """Return the memory of scoring codes on a cell, one seed of one method at a time."""
    n_id, n_ood = n_scored(cell, run.protocol == "strict")
    # True and inferred codes, in double precision; of those in distribution, their directions and
    # either masks or, under the paper's protocol, active latents and noise that fills them up.
    n_dense = 2 * (n_id + n_ood) + (2 if run.protocol == "strict" else 3) * n_id
    # Correlations or cosines, and what they are matched by.
    pairs = 3 * FLOAT64 * cell.n_latents**2
    return BASE_MB + _megabytes(FLOAT64 * n_dense * cell.n_latents + pairs)


def n_scored(cell: Problem, fresh: bool) -> tuple[int, int]:
    """Return the numbers of samples that are scored, in and out of distribution."""
    return cell.fresh_samples() if fresh else (cell.n_val, cell.n_ood)


def _model(cell: Problem, method: str, run: Run) -> float:
    """Return the bytes of a model with its records, and of what it was made of."""
    # The true dictionary in double and in single precision, padded, scaled, and the model's own.
    n_dictionaries = 8 + (run.trait(method, "dictionaries_recorded") or 0)
    return len(run.seeds) * n_dictionaries * FLOAT32 * cell.obs_dim * cell.n_latents


def _inferred(cell: Problem, method: str, run: Run, fresh: bool) -> float:
    """Return the bytes of codes while they are inferred and packed."""
    seeds = len(run.seeds)
    n_id, n_ood = n_scored(cell, fresh)
    n_columns = cell.obs_dim if run.trait(method, "narrow") else cell.n_latents
    n_active = _n_active(cell, method, run)
    # The codes, those before them, and two arrays to work with.
    dense = 4 * FLOAT32 * min(DENSE_CODES, seeds * n_id * n_columns)
    # Once in parts and once joined.
    packed = 2 * (INT32 + FLOAT64) * seeds * (n_id + n_ood) * n_active
    return dense + packed


def _n_active(cell: Problem, method: str, run: Run) -> float:
    """Return how many codes of a sample are kept, at most."""
    if run.trait(method, "narrow"):
        return cell.obs_dim
    share = run.trait(method, "dense")
    return min(cell.n_latents, max(FEW_LATENTS, share * cell.n_latents)) if share else cell.obs_dim


def _megabytes(size: float) -> int:
    return math.ceil(size / 1e6)
