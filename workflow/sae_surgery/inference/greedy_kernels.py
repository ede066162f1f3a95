"""The loops of `greedy`, compiled: how a sample chooses an atom and what its values become.

A sample's set S of atoms and its values are kept as in `exact_kernels`, with weights of zero: their
minimum is then the least squares. All that decides is in double precision.
"""

from typing import NamedTuple

import numpy as np

from sae_surgery.inference.exact_kernels import (
    CHUNK,
    Atoms,
    compiled,
    dot,
    find_above,
    inlined,
    join,
    largest,
    refresh,
    settle,
    solve,
)
from sae_surgery.inference.refit_kernels import subtract

NON_NEGATIVE, SIGNED, GRADIENT = range(3)
"""Rules: non-negative least squares, least squares, one gradient step; see `greedy`."""

TOLERANCE = 1e-7
"""Cosine to the observation below which an atom's correlation is rounding in single precision."""


class Sets(NamedTuple):
    """The state of a block of samples; only the first `size` entries of a set mean anything."""

    observations: np.ndarray
    """y (sample, obs), of unit length or zero, float64"""
    residual: np.ndarray
    """y − D z (sample, obs), float64"""
    size: np.ndarray
    """Number of atoms in S, (sample,)"""
    atoms: np.ndarray
    """Atoms of S, (sample, capacity)"""
    signs: np.ndarray
    """1 (sample, capacity)"""
    values: np.ndarray
    """z on S, (sample, capacity)"""
    slack: np.ndarray
    """dᵀr on S, (sample, capacity)"""
    gram: np.ndarray
    """Lower triangle of the Gram matrix of S (sample, capacity, capacity)"""
    factor: np.ndarray
    """Its factor, with the reciprocals of its diagonal, (sample, capacity, capacity)"""
    wanted: np.ndarray
    """k (sample,)"""
    n_steps: np.ndarray
    """Steps that may still be taken, (sample,)"""
    error: np.ndarray
    """½‖r‖² (sample,)"""
    n_found: np.ndarray
    """Number of atoms that may correlate most with r, (sample,)"""
    found: np.ndarray
    """These atoms, in order, (sample, slot)"""
    top: np.ndarray
    """Largest computed correlation of an atom so far, (sample,)"""


class Columns(NamedTuple):
    """A dictionary."""

    atoms: Atoms
    """Its atoms, with weights of zero"""
    inverse: np.ndarray
    """1 / ‖d‖ (atom,), zero for an atom of zeros, float64"""
    rule: int
    """One of the rules above"""


@compiled
def direct(sets, running, directions):
    """Empty the lists of running samples and write r / ‖r‖, row by row."""
    for row in range(len(running)):
        i = running[row]
        residual = sets.residual[i]
        sets.n_found[i], sets.top[i] = 0, 0.0
        scale = 1 / np.sqrt(dot(residual, residual))
        for k in range(len(residual)):
            directions[row, k] = residual[k] * scale


@compiled
def collect(columns, sets, running, correlations, first, error):
    """List the atoms that may correlate most with the residuals.

    Parameters
    ----------
    running
        The samples that `correlations` belong to.
    correlations
        dᵀr / (‖d‖ ‖r‖) (sample, atom) of atoms from `first` on; overwritten.
    error
        Bound of their rounding errors.
    """
    found = np.empty(CHUNK, np.int64)
    n_atoms = correlations.shape[1]
    for row in range(len(running)):
        i, values = running[row], correlations[row]
        if columns.rule == SIGNED:
            for j in range(n_atoms):
                values[j] = abs(values[j])
        if columns.rule != GRADIENT:
            for a in range(sets.size[i]):
                if 0 <= sets.atoms[i, a] - first < n_atoms:
                    values[sets.atoms[i, a] - first] = -1
        sets.top[i] = max(sets.top[i], largest(values))
        floor = sets.top[i] - 2 * error
        for start in range(0, n_atoms, CHUNK):
            for slot in range(find_above(floor, values[start : start + CHUNK], found)):
                note(columns, sets, i, first + start + found[slot])


@inlined
def note(columns, sets, i, atom):
    """Append an atom to a sample's list; of a full one only the best stays."""
    if sets.n_found[i] == sets.found.shape[1]:
        sets.found[i, 0] = best_found(columns, sets, i)[0]
        sets.n_found[i] = 1
    sets.found[i, sets.n_found[i]] = atom
    sets.n_found[i] += 1


@compiled
def best_found(columns, sets, i):
    """Return the listed atom of largest correlation, the first on ties, and its dᵀr / ‖d‖."""
    best, top = -1, -np.inf
    for slot in range(sets.n_found[i]):
        atom = sets.found[i, slot]
        value = dot(columns.atoms.rows[atom], sets.residual[i]) * columns.inverse[atom]
        if columns.rule == SIGNED:
            value = abs(value)
        if value > top:
            best, top = atom, value
    return best, top


@compiled
def grow(columns, sets, running):
    """Let each running sample take the best atom on its list, and find its values.

    Returns
    -------
    The number of samples that go on; they are moved to the head of `running`.
    """
    n_running = 0
    for i in running:
        if step(columns, sets, i):
            running[n_running] = i
            n_running += 1
    return n_running


@compiled
def step(columns, sets, i):
    """Take one step and tell whether another is to follow."""
    atom, correlation = best_found(columns, sets, i)
    if columns.rule == GRADIENT:
        if correlation > TOLERANCE:
            include(sets, i, atom)
        descend(columns, sets, i)
    elif correlation <= TOLERANCE or not admit(columns, sets, i, atom):
        return False
    sets.n_steps[i] -= 1
    squared = dot(sets.residual[i], sets.residual[i])
    unfinished = sets.n_steps[i] > 0 and squared > TOLERANCE**2
    if columns.rule != GRADIENT:
        unfinished &= squared / 2 < sets.error[i] and sets.size[i] < sets.wanted[i]
    sets.error[i] = squared / 2
    return unfinished


@inlined
def admit(columns, sets, i, atom):
    """Let an atom join S and fit the values; tell whether it is independent of S."""
    problem = columns.atoms
    if not join(problem, sets, i, atom, 1.0):
        sets.size[i] -= 1
        return False
    last = sets.size[i] - 1
    sets.slack[i, last] = dot(problem.rows[atom], sets.residual[i])
    if columns.rule == NON_NEGATIVE:
        settle(problem, sets, i)
    else:
        move = sets.slack[i, : last + 1].copy()
        solve(sets.factor[i], move)
        for a in range(last + 1):
            sets.values[i, a] += move[a]
        refresh(problem, sets, i)
    return True


@inlined
def include(sets, i, atom):
    """Append an atom to S unless it is there."""
    size = sets.size[i]
    for a in range(size):
        if sets.atoms[i, a] == atom:
            return
    sets.atoms[i, size] = atom
    sets.signs[i, size] = 1.0
    sets.values[i, size] = 0.0
    sets.size[i] = size + 1


@inlined
def descend(columns, sets, i):
    """Move the values of S down the gradient, as far as lowers the error most, and not below zero.

    The gradient is that for atoms of unit length.
    """
    problem = columns.atoms
    refresh(problem, sets, i)
    change = np.zeros(sets.residual.shape[1])
    for a in range(sets.size[i]):
        atom = sets.atoms[i, a]
        sets.slack[i, a] *= columns.inverse[atom] ** 2
        subtract(-sets.slack[i, a], problem.rows[atom], change)
    squared = dot(change, change)
    if squared > 0:
        length = dot(change, sets.residual[i]) / squared
        for a in range(sets.size[i]):
            sets.values[i, a] = max(sets.values[i, a] + length * sets.slack[i, a], 0.0)
        refresh(problem, sets, i)


@compiled
def gather(sets, scales, counts, atoms, values):
    """Write the codes of a block, in order of atoms, and return the number of entries.

    `scales` (sample,) are what values are multiplied by.
    """
    entry = 0
    for i in range(len(counts)):
        begin = entry
        for a in np.argsort(sets.atoms[i, : sets.size[i]]):
            if sets.values[i, a] != 0:
                atoms[entry] = sets.atoms[i, a]
                values[entry] = sets.values[i, a] * scales[i]
                entry += 1
        counts[i] = entry - begin
    return entry
