"""Solved codes with the encoder as a prior: a lasso that charges less for atoms it proposes.

With noise of covariance Σ, y and D are whitened, W = Σ^(−1/2), and for each sample

    minimise over z ≥ 0   ½‖W (y − D z)‖² + λ Σ_j w_j ‖W d_j‖ z_j,   w_j = ρ for atoms that the
                                                                     encoder has active, else 1.

The weights differ from sample to sample, so each is solved on the atoms that may matter: those of
the encoder, and those of the unweighted lasso with several times as many active ones.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from sae_surgery.examination import _solving
from sae_surgery.examination._codes import as_rows, from_rows

WIDER = 4
"""Active atoms of the unweighted lasso that proposes candidates, over those wanted."""
FLOOR = 0.05
"""Least variance of noise in any direction, over the mean: whitening divides by it."""
ITERATIONS = 100
HALVINGS = 16
L0_TOLERANCE = 0.005
AT_ONCE = 512
"""Samples that are solved together, and that λ is sought on."""
SMALLEST_CODE = 1e-6
SMALLEST_NORM = 1e-8


@dataclass(frozen=True)
class Whitened:
    """A dictionary where noise is white, with the norms that its atoms have there."""

    transform: np.ndarray
    """W (obs, obs)"""
    unit: np.ndarray
    """W D with columns at unit length (obs, atom), float32."""
    norms: np.ndarray
    """(atom,)"""

    @classmethod
    def of(cls, dictionary: np.ndarray, variances: np.ndarray, axes: np.ndarray) -> "Whitened":
        """Whiten by noise of these variances (obs,) along these axes (obs, obs)."""
        mean = variances.mean()
        scales = np.maximum(variances, FLOOR * mean) if mean > 0 else np.ones_like(variances)
        transform = (axes / np.sqrt(scales)) @ axes.T
        columns = transform @ dictionary
        norms = np.maximum(np.linalg.norm(columns, axis=0), SMALLEST_NORM)
        return cls(transform, (columns / norms).astype(np.float32), norms)


def solve_with_prior(
    observations: np.ndarray,
    whitened: Whitened,
    proposed: sparse.csr_array,
    l0: float,
    discount: float,
) -> sparse.csr_array:
    """Return codes (sample, atom) at a mean L0, values refitted.

    Parameters
    ----------
    observations
        y (sample, obs), not whitened.
    proposed
        The encoder's codes of them (sample, atom).
    discount
        ρ; 1 ignores the encoder.

    Raises
    ------
    ValueError
        If no λ gives candidates.
    """
    y = (observations @ whitened.transform).astype(np.float32)
    wider = min(WIDER * l0, 0.5 * min(whitened.unit.shape))
    _, candidates = _solving.solve_lasso(y, whitened.unit, max(wider, l0))
    atoms, known = _union(proposed, as_rows(candidates))
    samples, members = np.arange(len(y))[:, None], torch.from_numpy(known)
    chosen = torch.from_numpy(np.asarray((proposed != 0)[samples, atoms].todense()))
    weights = torch.where(chosen, float(discount), 1.0)
    problems = [
        _Problem(y[part], whitened.unit, atoms[part], members[part], weights[part])
        for part in (slice(at, at + AT_ONCE) for at in range(0, len(y), AT_ONCE))
    ]
    lam = problems[0].lam_at(l0)
    values = torch.cat([problem.solve(lam) for problem in problems]).numpy()
    kept = values > SMALLEST_CODE
    starts = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    shape = len(y), whitened.unit.shape[1]
    codes = sparse.csr_array((values[kept].astype(float), atoms[kept], starts), shape=shape)
    refitted = as_rows(_solving.refit(y, whitened.unit, from_rows(codes)))
    refitted.data /= whitened.norms[refitted.indices]
    return refitted


def _union(left: sparse.csr_array, right: sparse.csr_array) -> tuple[np.ndarray, np.ndarray]:
    """Return the atoms of either, (sample, place), and which places are taken."""
    both = sparse.csr_array((left != 0) + (right != 0))
    both.sort_indices()
    counts = np.diff(both.indptr)
    known = np.arange(max(1, counts.max())) < counts[:, None]
    atoms = np.zeros(known.shape, np.int64)
    atoms[known] = both.indices
    return atoms, known


class _Problem:
    """The weighted lasso of some samples on their candidates, solved by FISTA in step."""

    def __init__(
        self, y: np.ndarray, unit: np.ndarray, atoms: np.ndarray, known: Tensor, weights: Tensor
    ) -> None:
        columns = torch.from_numpy(np.ascontiguousarray(unit.T))[torch.from_numpy(atoms)]
        columns = columns * known[..., None]
        self.gram = torch.bmm(columns, columns.mT)
        self.correlations = torch.bmm(columns, torch.from_numpy(y)[..., None])[..., 0]
        self.weights, self.known = weights, known
        self.bound = self.gram.abs().sum(dim=2).amax(dim=1, keepdim=True).clamp(min=1e-8)

    def solve(self, lam: float) -> Tensor:
        """Return values (sample, place)."""
        z = ahead = torch.zeros_like(self.correlations)
        momentum = 1.0
        for _ in range(ITERATIONS):
            gradient = torch.bmm(self.gram, ahead[..., None])[..., 0] - self.correlations
            step = ahead - (gradient + lam * self.weights) / self.bound
            new = step.clamp(min=0) * self.known
            following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
            ahead = new + (momentum - 1) / following * (new - z)
            z, momentum = new, following
        return z

    def lam_at(self, l0: float) -> float:
        """Return the λ at which the mean L0 is the wanted one, by halving its range."""
        high = float((self.correlations / self.weights).max())
        low = high * 1e-6
        lam = high / 4
        for _ in range(HALVINGS):
            found = float((self.solve(lam) > SMALLEST_CODE).sum(dim=1).float().mean())
            if abs(found - l0) <= L0_TOLERANCE * l0:
                break
            low, high = (lam, high) if found > l0 else (low, lam)
            lam = (low * high) ** 0.5
        return lam
