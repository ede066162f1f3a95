"""Which inferred column stands for which true one: similarities and one-to-one assignment."""

import numpy as np

SMALLEST_NORM = 1e-8
"""Columns shorter than this have no direction: all their similarities are zero."""


def cosine(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the signed cosines between all columns of two matrices.

    Parameters
    ----------
    left, right
        Matrices (row, a) and (row, b).

    Returns
    -------
    np.ndarray
        Float64 matrix (a, b); zero where either column is zero.

    Raises
    ------
    ValueError
        If the numbers of rows differ.
    """
    if len(left) != len(right):
        raise ValueError(
            f"columns to compare must be equally long, got {len(left)} and {len(right)}"
        )
    return _directions(left).T @ _directions(right)


def correlation(true: np.ndarray, inferred: np.ndarray) -> np.ndarray:
    """Return the signed Pearson correlations between all columns of two matrices.

    Parameters
    ----------
    true, inferred
        Matrices (sample, a) and (sample, b).

    Returns
    -------
    np.ndarray
        Float64 matrix (a, b); zero where either column is constant.

    Raises
    ------
    ValueError
        If the numbers of samples differ.
    """
    return cosine(_centred(true), _centred(inferred))


def match(similarity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pair rows with columns one to one so that their summed similarity is largest.

    Parameters
    ----------
    similarity
        Matrix (a, b); where it is not square, the longer side keeps unmatched members.

    Returns
    -------
    tuple[np.ndarray, np.ndarray]
        Indices `rows, columns`, each (min(a, b),), rows ascending.
    """
    # Imported here because it takes longer than all else that a reader of results needs.
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(similarity, maximize=True)


def _centred(columns: np.ndarray) -> np.ndarray:
    return columns - columns.mean(axis=0, dtype=np.float64)


def _directions(columns: np.ndarray) -> np.ndarray:
    """Scale columns to unit norm and set those without a direction to zero."""
    columns = np.asarray(columns, dtype=np.float64)
    norms = np.linalg.norm(columns, axis=0)
    return columns * np.divide(1.0, norms, out=np.zeros_like(norms), where=norms >= SMALLEST_NORM)
