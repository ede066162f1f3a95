"""Compiled pieces that several learners share: rows of matrices, and Adam.

Sums may be reordered to use vectors, but equally for equal sizes, so that results depend on nothing
else.
"""

import numpy as np

from sae_surgery.machine.jit import jit

# What is compiled runs while other threads do.
compiled = jit(fastmath={"reassoc", "contract", "nsz"}, error_model="numpy", nogil=True)


@compiled
def update(values, gradient, first, second, rates):
    """Take an AdamW step with values (row, column); see `update_row`."""
    flat = gradient.reshape(1, -1)
    update_row(
        values.reshape(1, -1), 0, flat, 0, first.reshape(1, -1), second.reshape(1, -1), rates
    )


@compiled
def update_row(values, row, gradient, gradient_row, first, second, rates):
    """Take an AdamW step with one row.

    `rates` are those of `seeds.adamw_rates`; without weight decay this is Adam.
    """
    number = values.dtype.type
    fresh, kept, fresh_square, floor = number(0.1), number(0.999), number(0.001), number(1e-8)
    keep, step, scale = rates[0], rates[1], rates[2]
    for i in range(values.shape[1]):
        slope = gradient[gradient_row, i]
        mean = first[row, i] + fresh * (slope - first[row, i])
        square = kept * second[row, i] + fresh_square * slope * slope
        first[row, i], second[row, i] = mean, square
        values[row, i] = keep * values[row, i] - step * mean / (np.sqrt(square) * scale + floor)


@compiled
def sum_of_rows(matrix):
    """Return the sum (1, column) of a matrix over its first dimension."""
    total = np.zeros_like(matrix[:1])
    for row in range(len(matrix)):
        add(total.dtype.type(1), matrix, row, total, 0)
    return total


@compiled
def dot(x, i, y, j):
    """Return the inner product of row i of x and row j of y."""
    # Rows are given by their numbers, here and below: to hand over a slice takes longer than to
    # work on it.
    total = x.dtype.type(0)
    for column in range(x.shape[1]):
        total += x[i, column] * y[j, column]
    return total


@compiled
def add(scale, x, i, y, j):
    """Add a multiple of row i of x to row j of y, in place."""
    for column in range(x.shape[1]):
        y[j, column] += scale * x[i, column]
