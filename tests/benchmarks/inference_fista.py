"""FISTA, iteration by iteration: ours, the authors' form, and the machine's GEMM rate.

All run the same iterations; codes may differ from those in double precision by rounding only.
"""

from collections.abc import Iterator
from functools import partial

from torch import Tensor

from benchmarks import authors
from benchmarks.gemm import gemm_floor
from benchmarks.harness import Comparison, Contestant
from benchmarks.problems import LAM, Drawn, draw
from sae_surgery.inference.fista import fista

PARTS = {500: (2500, 100), 1000: (2500, 100), 10_000: (500, 10)}
"""Samples and iterations by n: at 10 000 the authors' form would take minutes."""
TARGET = {1000: 4.0}
GEMM_TARGET = {10_000: 0.7}
ROUNDING = 1e-3


def comparisons(quick: bool) -> Iterator[Comparison]:
    """Yield each n, on one thread and on two."""
    for n_latents in (500, 1000) if quick else PARTS:
        for threads in (1,) if quick else (1, 2):
            yield _comparison(draw(n_latents), threads)


def _comparison(drawn: Drawn, threads: int) -> Comparison:
    n_latents, obs_dim = drawn.cell.n_latents, drawn.cell.obs_dim
    n_samples, n_iter = PARTS[n_latents]
    y, d = drawn.tensor("val")[:, :n_samples].contiguous(), drawn.dictionary_tensor()
    reference = fista(y.double(), d.double(), LAM, n_iter)

    def difference(codes: Tensor) -> dict[str, float]:
        apart = codes.reshape(reference.shape).double() - reference
        return {"largest difference of a code": float(apart.abs().max())}

    nan = float("nan")
    flops = 4 * n_samples * obs_dim * n_latents * n_iter
    contestants = [
        Contestant("our FISTA", partial(fista, y, d, LAM, n_iter), tolerance=ROUNDING),
        Contestant(
            "published FISTA",
            partial(authors.fista, y[0], d[0], LAM, n_iter),
            tolerance=ROUNDING,
            target=TARGET.get(n_latents, nan),
        ),
        gemm_floor(flops, "4 N m n operations an iteration", GEMM_TARGET.get(n_latents, nan)),
    ]
    size = f"n = {n_latents}, m = {obs_dim}, {n_samples} samples, {n_iter} iterations"
    return Comparison("inference_fista", size, n_latents, contestants, difference, threads)
