"""The products of all atoms with each other, for `greedy` where samples are many.

With G the Gram matrix of atoms of unit length, the correlations of a residual are those of the
observation less Σ z_a G_a over the atoms taken: a sample needs a product with all atoms only once,
as in Rubinstein, Zibulevsky and Elad, Efficient implementation of the K-SVD algorithm using batch
orthogonal matching pursuit, Technion CS-2008-08. G is kept in 16 bits, each entry rounded to a
multiple of 1 / 32767: that is half the memory and half of what a sample reads, and an error like
that of the single-precision product itself, which is bounded alike.
"""

import numpy as np
import torch
from torch import Tensor

from sae_surgery.inference.exact_kernels import compiled
from sae_surgery.machine.threads import each

SCALE = 32767
"""What entries are multiplied by to become integers."""

ROUNDING = 0.5 / SCALE
"""Largest error of an entry that is due to that."""

MOST_ENTRIES = 2**30
"""Entries of the largest matrix that is made: 2 GB."""

TILE, SQUARE = 1024, 32
"""Rows and columns computed, and mirrored, at once."""

HEIGHT, HALF = np.float32(SCALE), np.float32(0.5)


def pays(n_atoms: int, n_steps: int) -> bool:
    """Return whether the matrix costs less than so many products of a residual with all atoms."""
    # Half of it is computed, and what a sample does with it is not free.
    return n_atoms**2 <= MOST_ENTRIES and n_atoms < n_steps


def gram(unit: Tensor) -> np.ndarray:
    """Return U Uᵀ (atom, atom), int16, of atoms U (atom, obs) of unit length or zero."""
    n_atoms = len(unit)
    # NumPy asks for huge pages: the system took 2 s to clear 1.2 GB of them, and 0.5 s of others.
    products = torch.empty(n_atoms, n_atoms, dtype=torch.int16).numpy()

    def write(first: int) -> None:
        rows = slice(first, min(first + TILE, n_atoms))
        # One that is allocated anew for each product costs as much as writing it.
        room = torch.empty(TILE * TILE)
        for other in range(0, first + 1, TILE):
            columns = slice(other, min(other + TILE, n_atoms))
            shape = rows.stop - first, columns.stop - other
            product = room[: shape[0] * shape[1]].view(shape)
            torch.mm(unit[rows], unit[columns].T, out=product)
            round_into(product.numpy(), products[rows, columns])
            if other < first:
                mirror(products[rows, columns], products[columns, rows])

    each(write, reversed(range(0, n_atoms, TILE)))
    return products


@compiled
def round_into(products, part):
    """Write products of unit vectors as integers."""
    for i in range(len(products)):
        row, rounded = products[i], part[i]
        for j in range(len(row)):
            # Cutting off what is positive rounds to the nearest.
            rounded[j] = np.int32(row[j] * HEIGHT + (HEIGHT + HALF)) - np.int32(SCALE)


@compiled
def mirror(part, mirrored):
    """Write a transpose, square by square, so that what is read stays in the cache."""
    n_rows, n_columns = part.shape
    for first in range(0, n_rows, SQUARE):
        for other in range(0, n_columns, SQUARE):
            for j in range(other, min(other + SQUARE, n_columns)):
                for i in range(first, min(first + SQUARE, n_rows)):
                    mirrored[j, i] = part[i, j]
