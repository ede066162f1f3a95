"""Exact sparse inference: the lasso of 2500 samples, λ = 0.1, non-negative codes.

Judged by the relative duality gap of each sample in double precision. FISTA, as published and ours,
runs beside the exact solvers although it stops far from the optimum.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from scipy.sparse import issparse
from torch import Tensor

from benchmarks import authors
from benchmarks.gemm import gemm_floor
from benchmarks.harness import Comparison, Contestant
from benchmarks.peers import lasso
from benchmarks.problems import LAM, Drawn, draw
from sae_surgery.inference import exact, sparse
from sae_surgery.inference.fista import duality_gap, fista, lasso_objective

N_ONE_BY_ONE = {100: 200, 1000: 100, 10_000: 40}
"""Samples that the solvers which take one at a time are timed on, by n."""
N_PUBLISHED = {100: 2500, 1000: 500, 10_000: 50}
"""Samples that the published form of FISTA is timed on: it costs 2n² an iteration and sample."""
SPAMS_TARGET = {100: float("nan"), 1000: 1.5, 10_000: 2.5}
EXACT = 1e-5
"""Largest relative duality gap of what counts as exact, a solver's own tolerance being 1e-6."""
INEXACT = 1.0
"""That of FISTA, which is timed for a number of iterations: anything better than zero codes."""


def comparisons(quick: bool) -> Iterator[Comparison]:
    """Yield cold starts at each n, on one thread and on two."""
    for n_latents in (100, 1000) if quick else (100, 1000, 10_000):
        for threads in (1,) if quick else (1, 2):
            yield _comparison(draw(n_latents), threads)


def _comparison(drawn: Drawn, threads: int) -> Comparison:
    n_latents, n_samples = drawn.cell.n_latents, drawn.cell.n_val
    y, d = drawn.tensor("val", torch.float64), drawn.dictionary_tensor(torch.float64)
    single = y.float(), d.float()
    y_np, d_np = y[0].numpy(), d[0].numpy()

    def part(name: str, solver, count: int, note: str = "", **options) -> Contestant:
        """Return a contestant that is timed on the first so many samples."""
        where = f"scaled from {count} samples" if count < n_samples else ""
        note = "; ".join(filter(None, (note, where)))
        run = partial(solver, count)
        return Contestant(name, run, scale=n_samples / count, note=note, **options)

    def published(n_iter: int, count: int) -> Tensor:
        return authors.fista(single[0][0, :count], single[1][0], LAM, n_iter)

    def one_by_one(solver, count: int) -> np.ndarray:
        return solver(y_np[:count], d_np, LAM)

    spams_target = SPAMS_TARGET[n_latents]
    few, fewer = N_PUBLISHED[n_latents], N_ONE_BY_ONE[n_latents]
    only_one = "" if threads == 1 else "uses one thread; see there"
    too_long = "" if n_latents < 10_000 else "ten times as long as 100 iterations"
    contestants = [
        Contestant("exact, float64", partial(solve, y, d), tolerance=EXACT),
        Contestant("exact, float32", partial(solve, *single), tolerance=EXACT),
        Contestant(
            "SPAMS, double",
            partial(lasso.spams, y_np, d_np, LAM, threads, np.float64),
            tolerance=EXACT,
            target=spams_target,
        ),
        Contestant(
            "SPAMS, single",
            partial(lasso.spams, y_np, d_np, LAM, threads, np.float32),
            tolerance=1e-4,
        ),
        Contestant("our FISTA, 100", partial(fista, *single, LAM, 100), tolerance=INEXACT),
        part(
            "published FISTA, 100",
            partial(published, 100),
            few,
            tolerance=INEXACT,
            target=10 if n_latents > 100 else float("nan"),
        ),
        part(
            "published FISTA, 1000",
            partial(published, 1000),
            few // 5,
            tolerance=INEXACT,
            skip=too_long or only_one.replace("uses one", "timed on one"),
        ),
        *(
            part(
                name, partial(one_by_one, solver), fewer, "a sample at a time",
                tolerance=EXACT, skip=only_one,
            )
            for name, solver in (
                ("scikit-learn Lasso", lasso.scikit_learn),
                ("celer", lasso.celer),
                ("skglm", lasso.skglm),
            )
        ),
        gemm_floor(2 * y.numel() * n_latents, "the correlations Dᵀ Y, once"),
    ]  # fmt: skip
    cell = drawn.cell
    return Comparison(
        "inference_exact",
        f"n = {n_latents}, m = {cell.obs_dim}, {n_samples} samples",
        n_latents,
        contestants,
        partial(relative_gaps, y, d),
        threads,
    )


def solve(y: Tensor, d: Tensor, start: sparse.SparseCodes | None = None) -> sparse.SparseCodes:
    """Return the codes of our exact solver."""
    return exact.exact_lasso(y, d, LAM, start)


def relative_gaps(y: Tensor, d: Tensor, codes) -> dict[str, float]:
    """Return the largest and the median relative duality gap of codes of the first samples."""
    codes = _dense(codes).reshape(1, -1, d.shape[2])
    pairs = zip(y[:, : codes.shape[1]].split(500, dim=1), codes.split(500, dim=1), strict=True)
    gap = torch.cat([_relative_gap(seen, d, part.double())[0] for seen, part in pairs])
    return {"largest relative gap": float(gap.max()), "median relative gap": float(gap.median())}


def _dense(codes) -> Tensor:
    """Write out what a solver may leave sparse; that is not part of its time."""
    if isinstance(codes, sparse.SparseCodes):
        return codes.dense()
    return torch.as_tensor(codes.toarray() if issparse(codes) else codes)


def _relative_gap(y: Tensor, d: Tensor, codes: Tensor) -> Tensor:
    if (codes < 0).any():
        raise ValueError("codes must be non-negative")
    return duality_gap(y, d, codes, LAM) / lasso_objective(y, d, codes, LAM)
