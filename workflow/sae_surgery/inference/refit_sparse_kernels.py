"""The loops of `refit_sparse`, compiled; a sample's arithmetic depends on no other sample."""

import numpy as np

from sae_surgery.inference.exact_kernels import Atoms, compiled, dot, join, refresh, settle
from sae_surgery.inference.greedy_kernels import TOLERANCE, Sets, to_least_squares
from sae_surgery.inference.refit_kernels import subtract


@compiled
def workspace(observation, capacity):
    """Return the state of one sample without codes."""
    y = observation.reshape(1, len(observation))
    vectors, matrices = (1, capacity), (1, capacity, capacity)
    none = np.zeros(1, np.int64)
    return Sets(
        y,
        y.copy(),
        none.copy(),
        np.empty(vectors, np.int64),
        np.empty(vectors),
        np.empty(vectors),
        np.empty(vectors),
        np.empty(matrices),
        np.empty(matrices),
        none,
        none,
        np.zeros(1),
        none,
        np.empty((1, 1), np.int64),
        np.zeros(1),
        none,
        np.zeros(1),
        np.empty((1, 1), np.int64),
        np.empty((1, 1)),
    )


@compiled
def fit(rows, observations, counts, atoms, values, non_negative):
    """Overwrite the values of entries with the least squares on each sample's atoms.

    Parameters
    ----------
    rows
        The dictionary (atom, obs), contiguous.
    observations
        y (sample, obs), float64.
    counts, atoms, values
        Number of entries of each sample; their atoms and values, sample by sample.
    """
    problem = Atoms(rows, np.zeros(len(rows)), False)
    first = 0
    for i in range(len(counts)):
        entries = slice(first, first + counts[i])
        first += counts[i]
        # No more atoms than dimensions are independent, and one more may exchange with these.
        capacity = min(counts[i], observations.shape[1] + 1) + 1
        sets = workspace(observations[i], capacity)
        begin(problem, sets, atoms[entries], values[entries], non_negative)
        if non_negative:
            settle(problem, sets, 0)
            let_in(problem, sets, atoms[entries])
        else:
            to_least_squares(sets, 0)
        write(sets, atoms[entries], values[entries])
        if not observations[i].any():
            values[entries] = 0.0


@compiled
def begin(problem, sets, atoms, values, non_negative):
    """Let independent atoms join, with their values where these are allowed."""
    largest = sets.factor.shape[1] - 1
    for slot in range(len(atoms)):
        row = problem.rows[atoms[slot]]
        allowed = not non_negative or values[slot] > 0
        if allowed and sets.size[0] < largest and dot(row, row) > 0:
            if join(problem, sets, 0, atoms[slot], 1.0):
                sets.values[0, sets.size[0] - 1] = values[slot]
            else:
                sets.size[0] -= 1
    refresh(problem, sets, 0)


@compiled
def let_in(problem, sets, atoms):
    """Let the other atoms join, steepest first, as long as the error falls."""
    residual = sets.residual[0]
    least = TOLERANCE * np.sqrt(dot(sets.observations[0], sets.observations[0]))
    error = np.inf
    while dot(residual, residual) < error and sets.size[0] < sets.factor.shape[1]:
        error = dot(residual, residual)
        best, top = -1, least
        for atom in atoms:
            length = np.sqrt(dot(problem.rows[atom], problem.rows[atom]))
            slope = dot(problem.rows[atom], residual)
            if slope > top * length and not np.any(sets.atoms[0, : sets.size[0]] == atom):
                best, top = atom, slope / length
        if best < 0:
            return
        join(problem, sets, 0, best, 1.0)
        sets.slack[0, sets.size[0] - 1] = dot(problem.rows[best], residual)
        settle(problem, sets, 0)


@compiled
def write(sets, atoms, values):
    """Write the values of a set into the entries of a sample, zero for atoms outside of it."""
    for slot in range(len(atoms)):
        values[slot] = 0.0
        for a in range(sets.size[0]):
            if sets.atoms[0, a] == atoms[slot]:
                values[slot] = sets.values[0, a]


@compiled
def shrink_less(rows, observations, counts, atoms, values, n_steps):
    """Overwrite the values of entries after steps of projected gradient; see `fit`."""
    first = 0
    for i in range(len(counts)):
        chosen, z = atoms[first : first + counts[i]], values[first : first + counts[i]]
        first += counts[i]
        gram, target = np.empty((len(z), len(z))), np.empty(len(z))
        for a in range(len(z)):
            target[a] = dot(rows[chosen[a]], observations[i])
            for b in range(a + 1):
                gram[a, b] = dot(rows[chosen[a]], rows[chosen[b]])
                gram[b, a] = gram[a, b]
        bound = 0.0
        for a in range(len(z)):
            bound = max(bound, np.abs(gram[a]).sum())
            z[a] = max(z[a], 0.0)
        if bound == 0:
            continue
        for _ in range(n_steps):
            gradient = -target
            for a in range(len(z)):
                subtract(-z[a], gram[a], gradient)
            for a in range(len(z)):
                z[a] = max(z[a] - gradient[a] / bound, 0.0)
