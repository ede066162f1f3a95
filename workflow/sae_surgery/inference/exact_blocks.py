"""The exact solver on the CPU: blocks of samples in step, one thread a block.

A round of a block is a matrix product, tile by tile of atoms, and compiled loops over its samples
(`exact_kernels`). Blocks depend on the number of samples only, so that results do not depend on the
number of threads.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from sae_surgery.inference.exact_kernels import (
    Atoms,
    Samples,
    advance,
    begin,
    collect,
    direct,
    gather,
)
from sae_surgery.inference.layout import VECTOR_WIDTH
from sae_surgery.machine.threads import each

BLOCK_SAMPLES = 256
"""Samples of a block: many enough for a matrix product, few enough for a core's cache."""

MIN_BLOCKS = 16
"""Smaller blocks are made rather than fewer, so that all cores have some."""

TILE_ATOMS = 1024
"""Atoms correlated with a block's residuals at once: the product stays in the cache."""

SHARE = 0.6
"""Atoms below this share of the largest violation are not considered in a round."""

N_WAITING = 128
"""Atoms that a sample considers in a round, at most."""

N_JOINING = 4
"""Atoms that become active together."""

MAX_STEPS = 3
"""How many times they do in a round, at most."""

CAPACITY = 32
"""Active atoms of a sample for which memory is taken at first."""

Solved = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
"""Counts (sample,), atoms (entry,) and values (entry,); gap and number of rounds (sample,)."""


def solve(
    observations: Tensor,
    dictionary: Tensor,
    weights: Tensor,
    start: tuple[Tensor, Tensor, Tensor] | None,
    non_negative: bool,
    tolerance: float,
    max_rounds: int,
) -> Solved:
    """Solve the problem of one seed; arguments as for `exact_lasso`, without the seed.

    `weights` are given for each atom, and the start as counts, atoms and values of its entries.
    """
    solver = _Solver(dictionary, weights, non_negative, tolerance, max_rounds)
    padded = np.zeros((len(observations), solver.rows.shape[1]))
    padded[:, : observations.shape[1]] = observations.numpy()
    solved = each(lambda block: solver.solve(*block), _blocks(padded, start))
    return tuple(torch.from_numpy(np.concatenate(part)) for part in zip(*solved, strict=True))


def _blocks(
    observations: np.ndarray, start: tuple[Tensor, Tensor, Tensor] | None
) -> Iterator[tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """Yield the observations of each block and the entries of its start."""
    size = -(-len(observations) // MIN_BLOCKS // VECTOR_WIDTH) * VECTOR_WIDTH
    size = min(BLOCK_SAMPLES, max(VECTOR_WIDTH, size))
    if start is None:
        nothing = torch.zeros(0, dtype=torch.int64)
        start = torch.zeros(len(observations), dtype=torch.int64), nothing, nothing.double()
    counts, atoms, values = (np.ascontiguousarray(part.numpy()) for part in start)
    edges = np.concatenate([[0], counts.cumsum()])
    for first in range(0, len(observations), size):
        last = min(first + size, len(observations))
        entries = slice(edges[first], edges[last])
        yield observations[first:last], (counts[first:last], atoms[entries], values[entries])


class _Solver:
    """The problem of one seed, but for its observations."""

    def __init__(
        self,
        dictionary: Tensor,
        weights: Tensor,
        non_negative: bool,
        tolerance: float,
        max_rounds: int,
    ) -> None:
        obs_dim, n_atoms = dictionary.shape
        # Aligned alike whatever the seeds beside it: products then round alike.
        self.rows = dictionary.new_zeros(n_atoms, obs_dim + -obs_dim % VECTOR_WIDTH)
        self.rows[:, :obs_dim] = dictionary.T
        self.single = self.rows.float()
        self.problem = Atoms(self.rows.numpy(), weights.contiguous().numpy(), not non_negative)
        self.inverse = 1 / weights
        lengths = torch.linalg.vector_norm(self.rows, dim=1, dtype=torch.float64)
        # A dot product, its factors and the scaling of its result are rounded, each relatively.
        self.error = (self.rows.shape[1] + 8) * float((lengths / weights).max())
        self.tolerance, self.max_rounds = tolerance, max_rounds

    def solve(self, observations: np.ndarray, start: tuple[np.ndarray, ...]) -> tuple:
        """Solve for a block of observations, from the entries of a start."""
        samples = _samples(observations, int(start[0].max()) + CAPACITY)
        begin(self.problem, samples, *start)
        waiting = np.arange(len(observations))
        # In the end, single precision may not tell which atoms violate optimality.
        for dtype in (torch.float32, torch.float64):
            if len(waiting):
                samples, waiting = self._rounds(samples, waiting, dtype)
        counts = np.empty_like(samples.size)
        atoms = np.empty(samples.size.sum(), np.int64)
        values = np.empty(len(atoms))
        n_entries = gather(samples, counts, atoms, values)
        return counts, atoms[:n_entries], values[:n_entries], samples.gap, samples.n_rounds

    def _rounds(
        self, samples: Samples, running: np.ndarray, dtype: torch.dtype
    ) -> tuple[Samples, np.ndarray]:
        """Do up to `max_rounds` with products of a precision, and return who halted early."""
        error = self.error * torch.finfo(dtype).eps
        inverse = self.inverse.to(dtype).numpy()
        rows = self.single if dtype == torch.float32 else self.rows
        directions = torch.empty(len(running), rows.shape[1], dtype=dtype)
        room = torch.empty(len(running) * min(TILE_ATOMS, len(rows)), dtype=dtype)
        halted = [running[:0]]
        for n_left in reversed(range(self.max_rounds)):
            n_running = len(running)
            direct(samples, running, directions.numpy())
            for first in range(0, len(rows), TILE_ATOMS):
                tile = rows[first : first + TILE_ATOMS].to(dtype)
                product = room[: n_running * len(tile)].view(n_running, len(tile))
                correlations = torch.mm(directions[:n_running], tile.T, out=product).numpy()
                weighted = inverse[first : first + TILE_ATOMS]
                collect(self.problem, samples, running, correlations, weighted, first, error, SHARE)
            # After the last product there is none left to certify what further steps would do.
            max_steps = MAX_STEPS if n_left else 0
            n_running, n_halted = advance(
                self.problem, samples, running, error, self.tolerance, N_JOINING, max_steps
            )
            if n_left:
                halted.append(running[n_running : n_running + n_halted].copy())
            running = running[:n_running]
            if not n_running:
                break
            samples = _with_room(samples)
        return samples, np.concatenate(halted)


def _samples(observations: np.ndarray, capacity: int) -> Samples:
    """Return the state of a block that starts from zero."""
    n_samples = len(observations)
    vectors, matrices = (n_samples, capacity), (n_samples, capacity, capacity)
    return Samples(
        observations=observations,
        residual=observations.copy(),
        size=np.zeros(n_samples, np.int64),
        atoms=np.empty(vectors, np.int64),
        signs=np.empty(vectors),
        values=np.empty(vectors),
        slack=np.empty(vectors),
        gram=np.empty(matrices),
        factor=np.empty(matrices),
        n_waiting=np.zeros(n_samples, np.int64),
        waiting=np.empty((n_samples, N_WAITING), np.int64),
        ratio=np.empty((n_samples, N_WAITING)),
        floor=np.zeros(n_samples),
        norm=np.empty(n_samples),
        gap=np.full(n_samples, np.inf),
        n_rounds=np.zeros(n_samples, np.int64),
    )


def _with_room(samples: Samples) -> Samples:
    """Return the samples with twice the capacity if one of them needs more."""
    capacity = samples.atoms.shape[1]
    if samples.size.max() + N_JOINING < capacity:
        return samples
    larger = {}
    for name in ("atoms", "signs", "values", "slack", "gram", "factor"):
        old = getattr(samples, name)
        larger[name] = np.pad(old, [(0, 0)] + [(0, capacity)] * (old.ndim - 1))
    return samples._replace(**larger)
