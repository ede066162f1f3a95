"""Correlations of columns that are mostly zero; compiled."""

import numpy as np

from sae_surgery.machine.jit import jit

compiled = jit()


@compiled
def count_nonzero(matrix):
    """Return the number of non-zero entries of each column."""
    counts = np.zeros(matrix.shape[1], np.int64)
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            counts[j] += matrix[i, j] != 0
    return counts


@compiled
def pack(matrix, counts):
    """Return row indices and values of the non-zero entries, column after column.

    Parameters
    ----------
    counts
        Number of non-zero entries of each column; 0 leaves a column out.
    """
    place = np.cumsum(counts) - counts
    rows, values = np.empty(counts.sum(), np.int64), np.empty(counts.sum())
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            if matrix[i, j] != 0 and counts[j] > 0:
                rows[place[j]], values[place[j]] = i, matrix[i, j]
                place[j] += 1
    return rows, values


@compiled
def correlate(matrix, counts, directions, smallest_norm, correlations):
    """Add the Pearson correlations of a matrix's columns with others to zeros.

    Parameters
    ----------
    matrix
        (sample, a)
    counts
        As for `pack`.
    directions
        The others (sample, b), centred and of unit norm, so that means add nothing to products.
    smallest_norm
        Columns shorter than this when centred correlate with nothing.
    correlations
        (a, b), zero for the columns with a count.
    """
    n_samples = len(matrix)
    rows, values = pack(matrix, counts)
    first = 0
    for j in range(len(counts)):
        entries = slice(first, first + counts[j])
        first += counts[j]
        column = values[entries]
        mean = column.sum() / n_samples
        square = ((column - mean) ** 2).sum() + (n_samples - counts[j]) * mean**2
        if counts[j] > 0 and np.sqrt(square) >= smallest_norm:
            add_rows(column / np.sqrt(square), directions, rows[entries], correlations[j])


@compiled
def add_rows(scales, matrix, rows, total):
    """Add multiples of a matrix's rows to a vector."""
    for place in range(len(rows)):
        scale, row = scales[place], matrix[rows[place]]
        for j in range(len(total)):
            total[j] += scale * row[j]
