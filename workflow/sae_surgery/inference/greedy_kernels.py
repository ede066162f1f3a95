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
    inlined,
    join,
    leave,
    refresh,
    settle,
    solve,
)
from sae_surgery.inference.greedy_gram import SCALE
from sae_surgery.inference.refit_kernels import subtract

NON_NEGATIVE, SIGNED, GRADIENT = range(3)
"""Rules: non-negative least squares, least squares, one gradient step; see `greedy`."""

MAGNITUDE = np.int32(2**31 - 1)
"""The bits of a single-precision number but for its sign."""

TILE = 2048
"""Correlations computed at once from products of atoms."""

STEP = np.float32(1 / SCALE)
"""What the integers of these products stand for."""

MOST_ERROR = 0.3
"""Errors of the two largest correlations together, relative to these, with which few atoms are
listed."""

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
    n_swaps: np.ndarray
    """Exchanges of atoms that may still be made, (sample,)"""
    kept_error: np.ndarray
    """½‖r‖² before the exchange that is being tried, infinite if none is, (sample,)"""
    kept_atoms: np.ndarray
    """The atoms then, (sample, capacity)"""
    kept_values: np.ndarray
    """Their values, (sample, capacity)"""


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
    for row in range(len(running)):
        list_tile(columns, sets, running[row], correlations[row], first, error)


@inlined
def list_tile(columns, sets, i, values, first, error):
    """List atoms from `first` on, by their correlations in single precision; overwritten.

    Numbers above zero are in the order of their bits, read as integers, whose maximum is computed
    with vectors. Few chunks have one that is above the floor.
    """
    n_atoms = len(values)
    bits = values.view(np.int32)
    if columns.rule == SIGNED:
        for j in range(n_atoms):
            bits[j] &= MAGNITUDE
    if columns.rule != GRADIENT:
        for a in range(sets.size[i]):
            if 0 <= sets.atoms[i, a] - first < n_atoms:
                values[sets.atoms[i, a] - first] = -1
    tops = np.empty((n_atoms + CHUNK - 1) // CHUNK, np.int32)
    top = np.int32(0)
    for chunk in range(len(tops)):
        tops[chunk] = largest_bits(bits[chunk * CHUNK : (chunk + 1) * CHUNK])
        top = max(top, tops[chunk])
    if top > 0:
        sets.top[i] = max(sets.top[i], as_number(top))
    floor = sets.top[i] - 2 * error
    least = as_bits(floor)
    for chunk in range(len(tops)):
        if tops[chunk] >= least:
            for j in range(chunk * CHUNK, min((chunk + 1) * CHUNK, n_atoms)):
                if values[j] > floor:
                    note(columns, sets, i, first + j)


@compiled
def largest_bits(bits):
    """Return the largest of some integers and zero."""
    top = np.int32(0)
    for j in range(len(bits)):
        top = max(top, bits[j])
    return top


@compiled
def as_number(bits):
    """Return the single-precision number of which these are the bits."""
    return np.float64(np.int32(bits).view(np.float32))


@compiled
def as_bits(number):
    """Return the bits of the next smaller positive number in single precision, or zero."""
    return max(np.float32(number).view(np.int32) - 1, 0)


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
    if lengthen(columns, sets, i):
        return True
    # The same atom may come back: then the error differs by rounding.
    if sets.kept_error[i] < np.inf and sets.error[i] >= sets.kept_error[i] * (1 - TOLERANCE):
        take_back(columns, sets, i)
        return False
    if sets.n_swaps[i] == 0 or sets.n_steps[i] == 0 or sets.size[i] < sets.wanted[i]:
        return False
    sets.n_swaps[i] -= 1
    give_one_up(columns, sets, i)
    return True


@compiled
def lengthen(columns, sets, i):
    """Let the best atom join, if any, and tell whether there is room for another."""
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


@compiled
def give_one_up(columns, sets, i):
    """Remove the atom without which the error is smallest, keeping the codes with it.

    In the least squares without an atom the error is larger by ½ z² / (G⁻¹)ₐₐ.
    """
    size, factor = sets.size[i], sets.factor[i]
    sets.kept_error[i] = sets.error[i]
    sets.kept_atoms[i, :size] = sets.atoms[i, :size]
    sets.kept_values[i, :size] = sets.values[i, :size]
    cheapest, least = 0, np.inf
    for a in range(size):
        column = np.zeros(size)
        column[a] = 1.0
        squared = 0.0
        for b in range(a, size):
            column[b] = (column[b] - dot(factor[b, a:b], column[a:b])) * factor[b, b]
            squared += column[b] ** 2
        if sets.values[i, a] ** 2 < least * squared:
            cheapest, least = a, sets.values[i, a] ** 2 / squared
    mark = np.zeros(size)
    mark[cheapest] = 1.0
    remove(columns, sets, i, mark)
    sets.error[i] = dot(sets.residual[i], sets.residual[i]) / 2


@compiled
def remove(columns, sets, i, mark):
    """Take marked atoms out of S and fit the values of the others."""
    signs = sets.values[i, : sets.size[i]].copy()
    kept = 0
    for a in range(sets.size[i]):
        # `leave` takes out what is negative; values of signed codes are put back.
        sets.values[i, a] = -1.0 if mark[a] else 1.0
        if not mark[a]:
            signs[kept] = signs[a]
            kept += 1
    leave(sets, i)
    sets.values[i, :kept] = signs[:kept]
    refresh(columns.atoms, sets, i)
    fit(columns, sets, i)


@compiled
def take_back(columns, sets, i):
    """Return to the codes before an exchange that did not lower the error."""
    size = sets.wanted[i]
    sets.size[i] = 0
    for a in range(size):
        join(columns.atoms, sets, i, sets.kept_atoms[i, a], 1.0)
        sets.values[i, a] = sets.kept_values[i, a]
    refresh(columns.atoms, sets, i)
    sets.error[i] = sets.kept_error[i]


@inlined
def to_least_squares(sets, i):
    """Move the values of S to the least squares, whatever their signs; residuals stay as they are.

    `slack` holds dᵀr of the atoms of S.
    """
    move = sets.slack[i, : sets.size[i]].copy()
    solve(sets.factor[i], move)
    for a in range(len(move)):
        sets.values[i, a] += move[a]


@inlined
def fit(columns, sets, i):
    """Move the values of S to the least squares, by the rule."""
    if columns.rule == NON_NEGATIVE:
        settle(columns.atoms, sets, i)
    else:
        to_least_squares(sets, i)
        refresh(columns.atoms, sets, i)


@inlined
def admit(columns, sets, i, atom):
    """Let an atom join S and fit the values; tell whether it is independent of S."""
    problem = columns.atoms
    if not join(problem, sets, i, atom, 1.0):
        sets.size[i] -= 1
        return False
    last = sets.size[i] - 1
    sets.slack[i, last] = dot(problem.rows[atom], sets.residual[i])
    fit(columns, sets, i)
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
def grow_by_gram(columns, sets, running, correlations, gram, errors):
    """Let each sample take steps until it has its codes, from the products of atoms.

    Parameters
    ----------
    running
        The samples that `correlations` belong to.
    correlations
        dᵀy / (‖d‖ ‖y‖) (sample, atom), in single precision.
    gram
        Products of atoms of unit length in units of `STEP`, (atom, atom), int16.
    errors
        Bounds of the errors of a correlation and of a product.

    Returns
    -------
    The number of samples that are moved to the head of `running`: those whose residual is so small
    that errors would list too many atoms.
    """
    left = np.empty(TILE, np.float32)
    n_left = 0
    for row in range(len(running)):
        i = running[row]
        unfinished = True
        while unfinished:
            if not list_by_gram(columns, sets, i, correlations[row], gram, errors, left):
                break
            unfinished = step(columns, sets, i)
        if unfinished:
            running[n_left] = i
            n_left += 1
    return n_left


@compiled
def list_by_gram(columns, sets, i, correlations, gram, errors, left):
    """List the atoms that may correlate most with the residual; tell whether these are few."""
    size, n_atoms = sets.size[i], len(correlations)
    taken = sets.atoms[i, :size]
    scaled = np.empty(size + -size % 4, np.float32)
    scaled[size:] = 0
    rows = np.zeros(len(scaled), np.int64)
    error = np.float64(errors[0])
    for a in range(size):
        value = sets.values[i, a] / columns.inverse[taken[a]]
        error += errors[1] * abs(value)
        scaled[a], rows[a] = value * STEP, taken[a]
    sets.n_found[i], sets.top[i] = 0, 0.0
    for first in range(0, n_atoms, TILE):
        n_tile = min(TILE, n_atoms - first)
        tile = left[:n_tile]
        tile[:] = correlations[first : first + n_tile]
        for a in range(0, len(scaled), 4):
            subtract_rows(scaled[a : a + 4], gram, rows[a : a + 4], first, tile)
        list_tile(columns, sets, i, tile, first, error)
    return 2 * error <= MOST_ERROR * sets.top[i]


@inlined
def subtract_rows(scales, gram, rows, first, tile):
    """Subtract multiples of four rows of a matrix, from column `first` on."""
    last = first + len(tile)
    p, q = gram[rows[0], first:last], gram[rows[1], first:last]
    r, s = gram[rows[2], first:last], gram[rows[3], first:last]
    a, b, c, d = scales[0], scales[1], scales[2], scales[3]
    for j in range(len(tile)):
        tile[j] -= (
            a * np.float32(p[j]) + b * np.float32(q[j])
            + c * np.float32(r[j]) + d * np.float32(s[j])
        )  # fmt: skip


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
