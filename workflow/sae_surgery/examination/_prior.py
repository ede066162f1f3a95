"""Solved codes with the encoder as a prior: a lasso that charges less for atoms it proposes.

With noise of covariance Σ, y and D are whitened, W = Σ^(−1/2), and for each sample

    minimise over z ≥ 0   ½‖W (y − D z)‖² + λ Σ_j w_j ‖W d_j‖ z_j,   w_j = ρ for atoms that the
                                                                     encoder has active, else 1.

The weights differ from sample to sample, so each is solved on the atoms that may matter: those of
the encoder, and those of the unweighted lasso with several times as many active ones.
"""

from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from sae_surgery.examination import _solving
from sae_surgery.examination._codes import as_rows, from_rows
from sae_surgery.inference.fista import momentum_weights

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
        norms = _solving.norms(columns)
        return cls(transform, (columns / norms).astype(np.float32), norms)


class WithPrior:
    """Observations with what the encoder proposes for them, to be solved at several discounts."""

    def __init__(
        self,
        observations: np.ndarray,
        whitened: Whitened,
        proposed: sparse.csr_array,
        l0: float,
    ) -> None:
        """Find the candidates.

        Parameters
        ----------
        observations
            y (sample, obs), not whitened.
        proposed
            The encoder's codes of them (sample, atom).
        l0
            Mean number of active atoms that is wanted.

        Raises
        ------
        ValueError
            If no λ gives candidates.
        """
        self.whitened, self.l0 = whitened, l0
        self.y = (observations @ whitened.transform).astype(np.float32)
        wider = max(l0, min(WIDER * l0, 0.5 * min(whitened.unit.shape)))
        _, candidates = _solving.solve_lasso(self.y, whitened.unit, wider)
        self.atoms, known = _union(proposed, as_rows(candidates))
        samples = np.arange(len(self.y))[:, None]
        self.chosen = torch.from_numpy((proposed != 0)[samples, self.atoms].toarray())
        self.parts = [slice(at, at + AT_ONCE) for at in range(0, len(self.y), AT_ONCE)]
        self.problems = [
            _Problem(self.y[part], whitened.unit, self.atoms[part], torch.from_numpy(known[part]))
            for part in self.parts
        ]

    def codes(self, discount: float) -> sparse.csr_array:
        """Return codes (sample, atom) at the wanted L0, values refitted.

        Parameters
        ----------
        discount
            ρ; 1 ignores the encoder.
        """
        weights = torch.where(self.chosen, float(discount), 1.0)
        lam = self.problems[0].lam_at(self.l0, weights[self.parts[0]])
        solved = [
            problem.solve(lam, weights[part])
            for problem, part in zip(self.problems, self.parts, strict=True)
        ]
        values = torch.cat(solved).numpy()
        kept = values > SMALLEST_CODE
        starts = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
        entries = values[kept].astype(float), self.atoms[kept], starts
        codes = sparse.csr_array(entries, shape=(len(values), self.whitened.unit.shape[1]))
        refitted = as_rows(_solving.refit(self.y, self.whitened.unit, from_rows(codes)))
        refitted.data /= self.whitened.norms[refitted.indices]
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

    def __init__(self, y: np.ndarray, unit: np.ndarray, atoms: np.ndarray, known: Tensor) -> None:
        columns = torch.from_numpy(np.ascontiguousarray(unit.T))[torch.from_numpy(atoms)]
        columns = columns * known[..., None]
        self.gram = torch.bmm(columns, columns.mT)
        self.correlations = torch.bmm(columns, torch.from_numpy(y)[..., None])[..., 0]
        self.known = known
        self.bound = self.gram.abs().sum(dim=2).amax(dim=1, keepdim=True).clamp(min=1e-8)

    def solve(self, lam: float, weights: Tensor) -> Tensor:
        """Return values (sample, place)."""
        z = ahead = torch.zeros_like(self.correlations)
        for weight in islice(momentum_weights(), ITERATIONS):
            gradient = torch.bmm(self.gram, ahead[..., None])[..., 0] - self.correlations
            step = ahead - (gradient + lam * weights) / self.bound
            new = step.clamp(min=0) * self.known
            ahead = new + (weight - 1) * (new - z)
            z = new
        return z

    def lam_at(self, l0: float, weights: Tensor) -> float:
        """Return the λ at which the mean L0 is the wanted one, by halving its range."""
        high = float((self.correlations / weights).max())
        low = high * 1e-6
        lam = high / 4
        for _ in range(HALVINGS):
            found = float((self.solve(lam, weights) > SMALLEST_CODE).sum(dim=1).float().mean())
            if abs(found - l0) <= L0_TOLERANCE * l0:
                break
            low, high = (lam, high) if found > l0 else (low, lam)
            lam = (low * high) ** 0.5
        return lam
