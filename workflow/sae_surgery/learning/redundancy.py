"""Which atoms of a dictionary are of no use: those that serve hardly a sample or double others.

An atom that is what others leave of one observation spares it all further codes. It then stands for
that sample alone, whose code is far larger than all others that the atom has.

Codes of true atoms that occur together can be had cheaper, in the l1 norm, with an atom that is
their sum; it then stands in the place of an atom that is missing. It gives itself away by what few
others explain of it, compared with what they explain of random directions.
"""

import numpy as np
from numpy.typing import NDArray

FEW = 3
"""Others that may explain an atom together."""

FEWEST_SAMPLES = 3
"""Samples that must share an atom's energy, or it is their own."""

TILE_ATOMS = 1024
"""Atoms compared with all others at once."""

NORM_FLOOR = 1e-6
"""A direction shorter than this, once what is known is taken out of it, adds nothing."""


def redundancy_limit(rows: NDArray) -> float:
    """Return the redundancy above which atoms are replaced, given random ones (atom, obs).

    It is a third of the way from the largest redundancy of these to 1.
    """
    random = redundancy(rows, np.arange(len(rows)), np.ones(len(rows), bool))
    return (1 + 2 * float(random.max())) / 3


def useless_atoms(
    rows: NDArray, energy: NDArray, sharing: NDArray, limit: float
) -> NDArray[np.bool_]:
    """Tell which atoms (atom,) hardly any sample shares, or are redundant given those kept.

    Parameters
    ----------
    rows
        Dᵀ (atom, obs), unit rows.
    energy
        Σ z² of each atom (atom,); of atoms that explain each other, the weakest go first.
    sharing
        How many samples share that energy (atom,), (Σ z²)² / Σ z⁴; 0 of atoms that are unused.
    limit
        See `redundancy_limit`.
    """
    kept = sharing >= FEWEST_SAMPLES
    suspects = np.flatnonzero(kept)
    suspects = suspects[redundancy(rows, suspects, kept) > limit]
    for atom in suspects[np.argsort(energy[suspects], kind="stable")]:
        kept[atom] = redundancy(rows, np.array([atom]), kept)[0] <= limit
    return ~kept


def redundancy(rows: NDArray, atoms: NDArray, kept: NDArray[np.bool_]) -> NDArray:
    """Return the share (atom,) of the squared length of atoms that a few others explain.

    The others, of those that are kept, are chosen by orthogonal matching pursuit (Pati, Rezaiifar
    and Krishnaprasad 1993), with either sign: an atom opposite to another is redundant, too.
    """
    tiles = np.array_split(atoms, -(-len(atoms) // TILE_ATOMS) or 1)
    return np.concatenate([_explained(rows, tile, kept) for tile in tiles])


def _explained(rows: NDArray, atoms: NDArray, kept: NDArray[np.bool_]) -> NDArray:
    residual, directions = rows[atoms], []
    for _ in range(FEW):
        correlations = np.abs(residual @ rows.T)
        correlations[:, ~kept] = 0
        correlations[np.arange(len(atoms)), atoms] = 0
        direction = rows[correlations.argmax(1)] * (correlations.max(1, keepdims=True) > 0)
        for known in directions:
            direction -= (direction * known).sum(1, keepdims=True) * known
        length = np.linalg.norm(direction, axis=1, keepdims=True)
        direction *= (length > NORM_FLOOR) / np.maximum(length, NORM_FLOOR)
        directions.append(direction)
        residual -= (residual * direction).sum(1, keepdims=True) * direction
    return 1 - np.square(residual).sum(1)
