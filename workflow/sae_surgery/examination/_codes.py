"""Codes of one seed as compressed rows, and what is computed from them."""

from collections.abc import Callable

import numpy as np
import torch
from scipy import sparse

from sae_surgery.inference.sparse import SparseCodes
from sae_surgery.metrics.measures import bootstrap


def as_rows(codes: SparseCodes) -> sparse.csr_array:
    """Return codes as compressed rows (sample, atom), float64."""
    counts = codes.counts[0].cpu().numpy()
    starts = np.concatenate([[0], np.cumsum(counts)])
    shape = len(counts), codes.n_atoms
    parts = codes.values.cpu().numpy(), codes.atoms.cpu().numpy(), starts
    return sparse.csr_array(parts, shape=shape)


def from_rows(rows: sparse.csr_array) -> SparseCodes:
    """Return compressed rows (sample, atom) as codes of one seed, without their zeros."""
    rows = rows.copy()
    rows.eliminate_zeros()
    rows.sort_indices()
    counts = torch.from_numpy(np.diff(rows.indptr).astype(np.int64))[None]
    atoms = torch.from_numpy(rows.indices.astype(np.int64))
    return SparseCodes(counts, atoms, torch.from_numpy(rows.data.astype(np.float64)), rows.shape[1])


def pick(codes: SparseCodes, samples: np.ndarray) -> SparseCodes:
    """Return the codes of some samples."""
    return from_rows(as_rows(codes)[samples])


def reconstruct(codes: SparseCodes, dictionary: np.ndarray) -> np.ndarray:
    """Return D z (sample, obs) in the precision of the dictionary (obs, atom)."""
    return as_rows(codes).astype(dictionary.dtype) @ np.ascontiguousarray(dictionary.T)


def errors(observations: np.ndarray, codes: SparseCodes, dictionary: np.ndarray) -> np.ndarray:
    """Return ‖y − D z‖² (sample,)."""
    residual = observations - reconstruct(codes, dictionary)
    return np.einsum("ij,ij->i", residual, residual, dtype=np.float64)


def spread(observations: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return ‖y − mean‖² (sample,): what there is to be explained."""
    centred = observations - mean
    return np.einsum("ij,ij->i", centred, centred, dtype=np.float64)


def ratio(
    sums: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray]
) -> tuple[float, float, float]:
    """Return a statistic of sums over samples, and the ends of its interval by the bootstrap.

    Parameters
    ----------
    sums
        What is summed, (sample, part).
    statistic
        From sums (…, part), the statistics (…,).
    """
    total = float(statistic(sums.sum(axis=0, keepdims=True))[0])
    parts = np.stack([sums[run].sum(axis=0) for run in bootstrap.groups(len(sums))])
    return (total, *bootstrap.interval(parts, statistic))


def quotient(upper: np.ndarray, lower: np.ndarray) -> tuple[float, float, float]:
    """Return Σ upper / Σ lower over samples, both (sample,), and its interval."""
    sums = np.stack([upper, lower], axis=1)
    return ratio(sums, lambda parts: parts[..., 0] / parts[..., 1])


def explained(error: np.ndarray, total: np.ndarray) -> tuple[float, float, float]:
    """Return the share of variance that is explained, 1 − Σ error / Σ total, and its interval."""
    sums = np.stack([error, total], axis=1)
    return ratio(sums, lambda parts: 1 - parts[..., 0] / parts[..., 1])


def mean_l0(codes: SparseCodes) -> tuple[float, float, float]:
    """Return the mean number of active atoms, and its interval."""
    counts = codes.counts[0].double().numpy()
    return quotient(counts, np.ones_like(counts))
