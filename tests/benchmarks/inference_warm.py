"""Exact sparse inference in the midst of dictionary learning: started from the round before."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor

from benchmarks.harness import Comparison, Contestant
from benchmarks.inference_exact import EXACT, relative_gaps, solve
from benchmarks.peers import lasso
from benchmarks.problems import LAM, Drawn, draw, near
from sae_surgery.inference import sparse
from sae_surgery.learning.dictionary_learning import fit_dictionary

N_ROUNDS = 3
"""Rounds of exact codes and least squares before the one that is timed."""


def comparisons(quick: bool) -> Iterator[Comparison]:
    """Yield each n, on one thread and on two."""
    for n_latents in (1000,) if quick else (1000, 10_000):
        drawn = draw(n_latents)
        learned = _learn(drawn)
        for threads in (1,) if quick else (1, 2):
            yield _comparison(drawn, *learned, threads)


def _learn(drawn: Drawn) -> tuple[Tensor, sparse.SparseCodes]:
    """Return a dictionary in the midst of learning, and the codes that it was fitted to."""
    y = drawn.tensor("val", torch.float64)
    d, codes = torch.from_numpy(near(drawn.dictionary, cosine=0.9))[None], None
    for _ in range(N_ROUNDS):
        codes = solve(y, d, codes)
        d = fit_dictionary(y, codes.dense(), ridge=1e-6)
    return d, codes


def _comparison(drawn: Drawn, d: Tensor, start: sparse.SparseCodes, threads: int) -> Comparison:
    y = drawn.tensor("val", torch.float64)
    y_np, d_np = y[0].numpy(), d[0].numpy()
    single = y.float(), d.float()
    contestants = [
        Contestant("exact, warm, float64", partial(solve, y, d, start), tolerance=EXACT),
        Contestant("exact, warm, float32", partial(solve, *single, start), tolerance=EXACT),
        Contestant("exact, cold, float64", partial(solve, y, d), tolerance=EXACT),
        Contestant(
            "SPAMS, double",
            partial(lasso.spams, y_np, d_np, LAM, threads, np.float64),
            tolerance=EXACT,
            target=5,
            note="has no warm start",
        ),
    ]
    cell = drawn.cell
    return Comparison(
        "inference_warm",
        f"n = {cell.n_latents}, m = {cell.obs_dim}, {cell.n_val} samples",
        cell.n_latents,
        contestants,
        partial(relative_gaps, y, d),
        threads,
    )
