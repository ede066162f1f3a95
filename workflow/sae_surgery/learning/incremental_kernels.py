"""The loops of `incremental`, compiled: sums over sparse codes, and steps of single atoms."""

from typing import NamedTuple

import numpy as np

from sae_surgery.learning.kernels import add, compiled, dot


class Uses(NamedTuple):
    """Where the entries of codes are, if they are given sample by sample."""

    first_entries: np.ndarray
    """The first entry of each sample, and the end of all (sample + 1,)"""
    first_uses: np.ndarray
    """The first use of each atom, and the end of all (atom + 1,)"""
    samples: np.ndarray
    """Which sample a use is of, atom by atom (use,)"""
    entries: np.ndarray
    """Which entry a use is (use,)"""


@compiled
def find_uses(counts, atoms, n_atoms):
    """Return the `Uses` of atoms by codes: how many entries a sample has, and their atoms."""
    first_entries, n_uses = np.zeros(len(counts) + 1, np.int64), np.zeros(n_atoms + 1, np.int64)
    first_entries[1:] = counts.cumsum()
    for atom in atoms:
        n_uses[atom + 1] += 1
    first_uses = n_uses.cumsum()
    free = first_uses.copy()
    samples, entries = np.empty(len(atoms), np.int64), np.empty(len(atoms), np.int64)
    for sample in range(len(counts)):
        for entry in range(first_entries[sample], first_entries[sample + 1]):
            use = free[atoms[entry]]
            samples[use], entries[use] = sample, entry
            free[atoms[entry]] += 1
    return Uses(first_entries, first_uses, samples, entries)


@compiled
def add_products(sign, uses, atoms, values, observations, gram, target, begin, end):
    """Add a multiple of ZᵀZ (atom, atom) and ZᵀY (atom, obs) of sparse codes to rows, in place.

    Row by row, which stays in the processor's cache while all uses of its atom are added.

    Parameters
    ----------
    uses, atoms, values
        Where the codes' entries are, and what.
    begin, end
        The rows that are added to.
    """
    for atom in range(begin, end):
        row = gram[atom]
        for use in range(uses.first_uses[atom], uses.first_uses[atom + 1]):
            sample = uses.samples[use]
            value = gram.dtype.type(sign * values[uses.entries[use]])
            for entry in range(uses.first_entries[sample], uses.first_entries[sample + 1]):
                row[atoms[entry]] += value * gram.dtype.type(values[entry])
            add(value, observations, sample, target, atom)


@compiled
def step_atoms(gradient, gram, relaxation, floor, rows):
    """Move atoms, one after the other, to where they explain best, and beyond.

    Parameters
    ----------
    gradient
        Rows of ZᵀY − ZᵀZ Dᵀ (atom, obs) at the atoms as given; overwritten.
    gram
        ZᵀZ (atom, atom) of these atoms.
    relaxation
        ω, length of a step relative to the one to the minimum.
    floor
        Atoms whose energy, their entry on the diagonal of ZᵀZ, is not above it stay.
    rows
        Dᵀ (atom, obs), unit rows; updated in place.
    """
    one = rows.dtype.type(1)
    for j in range(len(rows)):
        if gram[j, j] > floor:
            old = rows[j].copy()
            add(relaxation / gram[j, j], gradient, j, rows, j)
            length = np.sqrt(dot(rows, j, rows, j))
            if length > 0:
                moved = gradient[j : j + 1]
                for i in range(len(old)):
                    rows[j, i] /= length
                    moved[0, i] = rows[j, i] - old[i]
                for later in range(j + 1, len(rows)):
                    if gram[later, j] != 0:
                        add(-gram[later, j] * one, moved, 0, gradient, later)
            else:
                rows[j] = old


@compiled
def subtract_codes(counts, atoms, values, rows, residual):
    """Subtract Z Dᵀ from observations (sample, obs), in place.

    Codes are given as entries, sample by sample: how many one has, their atoms and values.
    """
    first = 0
    for sample in range(len(counts)):
        for a in range(first, first + counts[sample]):
            add(-residual.dtype.type(values[a]), rows, atoms[a], residual, sample)
        first += counts[sample]
