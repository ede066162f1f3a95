"""How well codes recover true ones, atom by atom, on the true dictionary."""

import numpy as np
from scipy import sparse

from sae_surgery.examination._codes import ratio


def overlap(found: sparse.csr_array, truth: sparse.csr_array) -> np.ndarray:
    """Return hits, atoms found and true atoms of each sample, (sample, 3)."""
    hits = (found != 0).multiply(truth != 0).sum(axis=1)
    sizes = [np.diff(codes.indptr) for codes in (found, truth)]
    return np.stack([np.asarray(hits).ravel(), *sizes], axis=1).astype(float)


def f1_of(sums: np.ndarray) -> np.ndarray:
    """Return the F1 (…,) of hits, atoms found and true atoms (…, 3)."""
    return 2 * sums[..., 0] / np.maximum(sums[..., 1] + sums[..., 2], 1)


def f1(found: sparse.csr_array, truth: sparse.csr_array) -> tuple[float, float, float]:
    """Return the F1 of supports, counted over all samples, and its interval."""
    return ratio(overlap(found, truth), f1_of)


def correlation(found: sparse.csr_array, truth: sparse.csr_array) -> float:
    """Return the mean correlation of true and found codes over atoms that are ever active.

    One whose found codes are constant counts as 0.
    """
    n = truth.shape[0]
    true_mean, found_mean = (np.asarray(z.sum(axis=0)).ravel() / n for z in (truth, found))
    product = np.asarray(truth.multiply(found).sum(axis=0)).ravel() / n
    true_var, found_var = (
        np.asarray(z.multiply(z).sum(axis=0)).ravel() / n - mean**2
        for z, mean in ((truth, true_mean), (found, found_mean))
    )
    scale = np.sqrt(np.clip(true_var, 0, None) * np.clip(found_var, 0, None))
    each = np.divide(
        product - true_mean * found_mean, scale, out=np.zeros(len(scale)), where=scale > 1e-12
    )
    active = true_var > 1e-12
    return float(each[active].mean()) if active.any() else float("nan")
