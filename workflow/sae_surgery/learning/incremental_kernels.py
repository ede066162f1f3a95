"""The loops of `incremental`, compiled: sums over sparse codes, and steps of single atoms."""

import numpy as np

from sae_surgery.learning.kernels import add, compiled, dot


@compiled
def add_products(sign, counts, atoms, values, observations, gram, target):
    """Add a multiple of ZᵀZ (atom, atom) and ZᵀY (atom, obs) of sparse codes, in place.

    Codes are given as entries, row by row: how many a sample has, their atoms and values.
    """
    first = 0
    for sample in range(len(counts)):
        last = first + counts[sample]
        for a in range(first, last):
            value = gram.dtype.type(sign * values[a])
            for b in range(first, last):
                gram[atoms[a], atoms[b]] += value * gram.dtype.type(values[b])
            add(value, observations, sample, target, atoms[a])
        first = last


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
    """Subtract Z Dᵀ from observations (sample, obs), in place; codes as in `add_products`."""
    first = 0
    for sample in range(len(counts)):
        for a in range(first, first + counts[sample]):
            add(-residual.dtype.type(values[a]), rows, atoms[a], residual, sample)
        first += counts[sample]
