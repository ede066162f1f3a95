"""Greedy pursuits: atom by atom, each the one that correlates most with what is left.

A step of a sample takes the atom d of largest dᵀr / ‖d‖, or |dᵀr| / ‖d‖ where codes are signed, r
being the residual, and then finds values for all atoms taken, by one of three rules
(`greedy_kernels`): non-negative least squares, least squares, or a step along the gradient.

All samples of a block are in step: their residuals are correlated with all atoms as one matrix
product in single precision, whose rounding errors have a bound. Atoms within it of the largest are
compared again in double precision, so that which atom is taken depends on nothing but the sample:
neither on those beside it, nor on how a product is computed. Exact ties go to the first atom.
"""

import numpy as np
import torch
from torch import Tensor

from sae_surgery.checks import require_count
from sae_surgery.inference.exact import require_problem
from sae_surgery.inference.exact_kernels import Atoms
from sae_surgery.inference.greedy_gram import ROUNDING, gram, pays
from sae_surgery.inference.greedy_kernels import (
    GRADIENT,
    Columns,
    Sets,
    collect,
    direct,
    gather,
    grow,
    grow_by_gram,
)
from sae_surgery.inference.layout import VECTOR_WIDTH
from sae_surgery.inference.sparse import SparseCodes
from sae_surgery.machine.threads import each

BLOCK_SAMPLES = 128
"""Samples of a block: many enough for a matrix product, few enough for a core's cache."""

TILE_ATOMS = 1024
"""Atoms correlated with a block's residuals at once: the product stays in the cache."""

ROOM = 64
"""Atoms of a sample that are compared in double precision together."""

STEPS_AN_ATOM = 10
"""Steps for each of the k atoms, at most; few more than k are usual."""


@torch.no_grad()
def pursue(
    observations: Tensor, dictionary: Tensor, k: int | Tensor, rule: int, swaps: int = 0
) -> SparseCodes:
    """Infer codes by the method at the head of this file; see `omp` and `gradient_pursuit`."""
    require_problem(observations, dictionary)
    require_count(swaps=swaps)
    wanted = _checked_k(k, observations)
    seeds = [
        _of_seed(observations[seed].cpu(), dictionary[seed].cpu(), wanted[seed], rule, swaps)
        for seed in range(len(observations))
    ]
    counts, atoms, values = zip(*seeds, strict=True)
    device = observations.device
    return SparseCodes(
        torch.stack(counts).to(device),
        torch.cat(atoms).to(device),
        torch.cat(values).to(device),
        dictionary.shape[2],
    )


def _of_seed(
    observations: Tensor, dictionary: Tensor, wanted: np.ndarray, rule: int, swaps: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return counts (sample,), atoms (entry,) and values (entry,)."""
    pursuit = _Pursuit(dictionary, rule, int(wanted.sum()), swaps)
    pieces = [slice(at, at + BLOCK_SAMPLES) for at in range(0, len(observations), BLOCK_SAMPLES)]
    solved = each(lambda piece: pursuit.solve(observations[piece], wanted[piece]), pieces)
    if not solved:
        none = SparseCodes.none(0, dictionary.shape[1], dictionary.device)
        return none.of_seed(0)
    return tuple(torch.from_numpy(np.concatenate(part)) for part in zip(*solved, strict=True))


class _Pursuit:
    """The problem of one seed, but for its observations."""

    def __init__(self, dictionary: Tensor, rule: int, n_steps: int, swaps: int = 0) -> None:
        obs_dim, n_atoms = dictionary.shape
        # Aligned alike whatever the seeds beside it: products then round alike.
        rows = dictionary.new_zeros(n_atoms, obs_dim + -obs_dim % VECTOR_WIDTH)
        rows[:, :obs_dim] = dictionary.T
        lengths = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64)
        inverse = torch.where(lengths > 0, 1 / lengths, 0.0)
        self.unit = (rows * inverse[:, None]).float()
        atoms = Atoms(rows.numpy(), np.zeros(n_atoms), False)
        self.columns, self.swaps = Columns(atoms, inverse.numpy(), rule), swaps
        # A dot product, both of its factors and the two scalings are rounded, each relatively.
        self.error = (rows.shape[1] / 2 + 8) * torch.finfo(torch.float32).eps
        self.gram = gram(self.unit) if pays(n_atoms, n_steps) else None

    def solve(self, observations: Tensor, wanted: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return counts, atoms and values of a block."""
        sets, scales = self._begin(observations, wanted)
        running = np.flatnonzero((sets.n_steps > 0) & (sets.error > 0))
        directions = torch.empty(len(running), self.unit.shape[1])
        room = torch.empty(len(running) * min(TILE_ATOMS, len(self.unit)))
        if self.gram is not None and len(running):
            direct(sets, running, directions.numpy())
            correlations = torch.mm(directions, self.unit.T).numpy()
            errors = np.array([self.error, self.error + ROUNDING])
            n_left = grow_by_gram(self.columns, sets, running, correlations, self.gram, errors)
            running = running[:n_left]
        while len(running):
            direct(sets, running, directions.numpy())
            for first in range(0, len(self.unit), TILE_ATOMS):
                tile = self.unit[first : first + TILE_ATOMS]
                product = room[: len(running) * len(tile)].view(len(running), len(tile))
                torch.mm(directions[: len(running)], tile.T, out=product)
                collect(self.columns, sets, running, product.numpy(), first, self.error)
            running = running[: grow(self.columns, sets, running)]
        counts = np.empty_like(sets.size)
        atoms = np.empty(sets.size.sum(), np.int64)
        values = np.empty(len(atoms))
        n_entries = gather(sets, scales, counts, atoms, values)
        return counts, atoms[:n_entries], values[:n_entries]

    def _begin(self, observations: Tensor, wanted: np.ndarray) -> tuple[Sets, np.ndarray]:
        """Return samples without codes, and the lengths of their observations."""
        n_samples, obs_dim = observations.shape
        y = np.zeros((n_samples, self.unit.shape[1]))
        y[:, :obs_dim] = observations.numpy()
        lengths = np.linalg.norm(y, axis=1)
        y /= np.where(lengths > 0, lengths, 1)[:, None]
        # No more atoms than dimensions are independent.
        gradient = self.columns.rule == GRADIENT
        most = len(self.unit) if gradient else min(obs_dim, len(self.unit))
        capacity = min(int(wanted.max(initial=0)), most) + 1
        vectors, matrices = (n_samples, capacity), (n_samples, capacity, capacity)
        sets = Sets(
            observations=y,
            residual=y.copy(),
            size=np.zeros(n_samples, np.int64),
            atoms=np.empty(vectors, np.int64),
            signs=np.empty(vectors),
            values=np.empty(vectors),
            slack=np.empty(vectors),
            gram=np.empty((0, 0, 0) if gradient else matrices),
            factor=np.empty((0, 0, 0) if gradient else matrices),
            wanted=np.minimum(wanted, most),
            n_steps=wanted.copy() if gradient else STEPS_AN_ATOM * np.minimum(wanted, most),
            error=np.square(y).sum(1) / 2,
            n_found=np.zeros(n_samples, np.int64),
            found=np.empty((n_samples, ROOM), np.int64),
            top=np.zeros(n_samples),
            n_swaps=np.full(n_samples, self.swaps),
            kept_error=np.full(n_samples, np.inf),
            kept_atoms=np.empty(vectors if self.swaps else (0, 0), np.int64),
            kept_values=np.empty(vectors if self.swaps else (0, 0)),
        )
        return sets, lengths


def _checked_k(k: int | Tensor, observations: Tensor) -> np.ndarray:
    """Return k for each sample, (seed, sample)."""
    shape = tuple(observations.shape[:2])
    if not isinstance(k, Tensor):
        require_count(k=k)
        return np.full(shape, k)
    allowed = k.dtype == torch.int64 and tuple(k.shape) in (shape, shape[1:])
    if not allowed or (k < 0).any():
        raise ValueError(
            f"k must be an integer of at least 0, or such int64 of shape {shape} or {shape[1:]}, "
            f"got {k.dtype} of shape {tuple(k.shape)}"
        )
    return np.ascontiguousarray(k.cpu().expand(shape).numpy())
