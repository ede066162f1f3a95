"""Sparse inference at the size of a trained SAE: 24 576 atoms in 768 dimensions, 32 of them active.

Observations are planted: atoms drawn uniformly, values between ½ and 1½, and noise of a tenth of
their length. The lasso's λ is one at which about 32 atoms are active; it is judged by the relative
duality gap in double precision. Pursuits are judged by how much more of the observations' squares
than ours they leave unexplained.
"""

from collections.abc import Iterator
from functools import cache, partial

import numpy as np
import torch
from scipy.sparse import issparse
from torch import Tensor

from benchmarks.gemm import gemm_floor
from benchmarks.harness import Comparison, Contestant
from benchmarks.peers import greedy, lasso
from sae_surgery.inference.exact import exact_lasso
from sae_surgery.inference.fista import duality_gap, lasso_objective
from sae_surgery.inference.gradient_pursuit import gradient_pursuit
from sae_surgery.inference.omp import omp
from sae_surgery.inference.sparse import SparseCodes

K, NOISE, LAM = 32, 0.1, 0.45
SIZES = {False: (24_576, 768, 1000), True: (4096, 256, 500)}
"""Atoms, dimensions and samples, and those where it is to be quick."""

N_ONE_BY_ONE, N_DENSE = 4, 100
"""Samples that solvers are timed on which take one at a time, or whose codes are dense."""

EXACT, ALIKE = 1e-5, 1e-3
"""Largest relative duality gap of what counts as exact, and largest excess of a pursuit."""

AT_ONCE = 100
"""Samples whose codes are written out together to be judged."""


def comparisons(quick: bool) -> Iterator[Comparison]:
    """Yield the lasso, orthogonal matching pursuit and gradient pursuit, on one thread."""
    y, d = _planted(*SIZES[quick])
    for make in (_lasso, _omp, _gradient_pursuit):
        name, contestants, judge = make(y, d)
        size = f"n = {d.shape[2]}, m = {d.shape[1]}, {y.shape[1]} samples, {K} active"
        yield Comparison(name, size, d.shape[2], contestants, judge)


@cache
def _planted(n_atoms: int, obs_dim: int, n_samples: int) -> tuple[Tensor, Tensor]:
    """Return observations (1, sample, obs) and unit atoms (1, obs, atom)."""
    drawn = np.random.default_rng(0)
    atoms = drawn.standard_normal((n_atoms, obs_dim), np.float32)
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    observations = np.empty((n_samples, obs_dim), np.float32)
    for sample in observations:
        chosen = drawn.choice(n_atoms, K, replace=False)
        sample[:] = drawn.uniform(0.5, 1.5, K) @ atoms[chosen]
        noise = drawn.standard_normal(obs_dim)
        sample += NOISE * np.linalg.norm(sample) * noise / np.linalg.norm(noise)
    return torch.from_numpy(observations)[None], torch.from_numpy(atoms).T[None].contiguous()


def _lasso(y: Tensor, d: Tensor):
    y_np, d_np = y[0].numpy(), d[0].numpy()
    contestants = [
        Contestant("exact", partial(exact_lasso, y, d, LAM), tolerance=EXACT),
        Contestant(
            "SPAMS, single",
            partial(lasso.spams, y_np, d_np, LAM, 1, np.float32),
            tolerance=1e-4,
            target=8,
        ),
        gemm_floor(2 * y.numel() * d.shape[2], "the correlations Dᵀ Y, once"),
    ]
    return "inference_wide_lasso", contestants, partial(_gaps, y, d)


def _omp(y: Tensor, d: Tensor):
    y_np, d_np = y[0].numpy(), d[0].numpy()
    ours = partial(omp, y, d, K, non_negative=False)
    few = {
        "scale": y.shape[1] / N_ONE_BY_ONE,
        "note": f"a sample at a time; scaled from {N_ONE_BY_ONE} samples",
    }
    contestants = [
        Contestant("ours", ours),
        Contestant("ours, non-negative", partial(omp, y, d, K)),
        Contestant(
            "SPAMS, single", partial(greedy.spams, y_np, d_np, K, np.float32),
            tolerance=ALIKE, target=3, note="takes the atom that lowers the error most",
        ),
        Contestant(
            "scikit-learn", partial(greedy.scikit_learn, y_np[:N_ONE_BY_ONE], d_np, K),
            tolerance=ALIKE, target=3, **few,
        ),
        gemm_floor(d.shape[1] * d.shape[2] ** 2, "half of Dᵀ D"),
        gemm_floor(2 * K * y.numel() * d.shape[2], "the correlations Dᵀ R of each step"),
    ]  # fmt: skip
    return "inference_wide_omp", contestants, partial(_excess, y, d, cache(ours))


def _gradient_pursuit(y: Tensor, d: Tensor):
    ours = partial(gradient_pursuit, y, d, K)
    contestants = [
        Contestant("ours", ours),
        Contestant(
            "dictionary_learning",
            partial(greedy.dictionary_learning, y[0, :N_DENSE], d[0], K),
            tolerance=ALIKE,
            target=3,
            scale=y.shape[1] / N_DENSE,
            note=f"scaled from {N_DENSE} samples",
        ),
    ]
    return "inference_wide_gradient_pursuit", contestants, partial(_excess, y, d, cache(ours))


def _gaps(y: Tensor, d: Tensor, codes) -> dict[str, float]:
    """Return the largest and the median relative duality gap, and how many atoms are active."""
    exact = d.double()
    gaps, n_active = [], 0
    for seen, part in _parts(y.double(), codes):
        if (part < 0).any():
            raise ValueError("codes must be non-negative")
        gap = duality_gap(seen, exact, part, LAM) / lasso_objective(seen, exact, part, LAM)
        gaps.append(gap[0])
        n_active += int(part.count_nonzero())
    gaps = torch.cat(gaps)
    return {
        "largest relative gap": float(gaps.max()),
        "median relative gap": float(gaps.median()),
        "active atoms a sample": n_active / len(gaps),
    }


def _excess(y: Tensor, d: Tensor, ours, codes) -> dict[str, float]:
    """Return how much more than ours is left unexplained, relatively, and how much that is."""
    left, n_active = _unexplained(y, d, codes)
    best, _ = _unexplained(y, d, ours())
    return {
        "excess of what is left": float(left.sum() / best[: len(left)].sum() - 1),
        "share left": float(left.mean()),
        "active atoms a sample": n_active / len(left),
    }


def _unexplained(y: Tensor, d: Tensor, codes) -> tuple[Tensor, int]:
    """Return ‖y − D z‖² / ‖y‖² (sample,) and the number of active atoms."""
    left, n_active = [], 0
    for seen, part in _parts(y.double(), codes):
        missed = seen - part @ d.double().mT
        left.append((missed.square().sum(2) / seen.square().sum(2))[0])
        n_active += int(part.count_nonzero())
    return torch.cat(left), n_active


def _parts(y: Tensor, codes) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield observations and codes (1, sample, atom), some samples at a time."""
    if isinstance(codes, SparseCodes):
        edges = [0, *codes.counts[0].cumsum(0).tolist()]
    else:
        codes = codes.tocsr() if issparse(codes) else codes
    n_samples = codes.counts.shape[1] if isinstance(codes, SparseCodes) else codes.shape[0]
    for first in range(0, n_samples, AT_ONCE):
        last = min(first + AT_ONCE, n_samples)
        if isinstance(codes, SparseCodes):
            entries = slice(edges[first], edges[last])
            part = SparseCodes(
                codes.counts[:, first:last], codes.atoms[entries], codes.values[entries],
                codes.n_atoms,
            ).dense()  # fmt: skip
        else:
            part = codes[first:last]
            part = torch.as_tensor(part.toarray() if issparse(part) else part)[None].double()
        yield y[:, first:last], part
