"""Which inferred column stands for which true one: similarities and one-to-one assignment."""

import numpy as np

SMALLEST_NORM = 1e-8
"""Columns shorter than this have no direction: all their similarities are zero."""
MOSTLY_ZERO = 0.1
"""Share of non-zero entries up to which a column is handled as sparse."""
TOLERANCE = 1e-10
"""Relative distance of a matching from the proven bound that rounding explains."""


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
    _check_lengths(left, right)
    return _directions(left).T @ _directions(right)


def correlation(true: np.ndarray, inferred: np.ndarray) -> np.ndarray:
    """Return the signed Pearson correlations between all columns of two matrices.

    Those of columns of `true` that are mostly zero take time for their other entries only.

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
    _check_lengths(true, inferred)
    # Numba is imported here because it takes longer than all else that a reader of results needs.
    from sae_surgery.metrics.measures.columns import correlate, count_nonzero

    # The loops run along rows.
    true = np.ascontiguousarray(true)
    directions = np.ascontiguousarray(_centred_directions(inferred))
    counts = count_nonzero(true)
    dense = np.flatnonzero(counts > MOSTLY_ZERO * len(true))
    counts[dense] = 0
    correlations = np.zeros((true.shape[1], inferred.shape[1]))
    correlate(true, counts, directions, SMALLEST_NORM, correlations)
    correlations[dense] = _centred_directions(true[:, dense]).T @ directions
    return correlations


def match(similarity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pair rows with columns one to one so that their summed similarity is largest.

    That no other pairing has a larger sum is proven each time, by prices of columns (the dual).

    Parameters
    ----------
    similarity
        Non-negative matrix (a, b); where it is not square, the longer side keeps unmatched members.

    Returns
    -------
    tuple[np.ndarray, np.ndarray]
        Indices `rows, columns`, each (min(a, b),), rows ascending.

    Raises
    ------
    ValueError
        If a similarity is negative or not finite.
    RuntimeError
        If the proof fails, by more than rounding explains: an error of ours, or a magnitude near
        the limits of double precision.
    """
    if similarity.size and not (similarity.min() >= 0 and similarity.max() < np.inf):
        found = similarity[~((similarity >= 0) & (similarity < np.inf))][0]
        raise ValueError(f"similarity: must be finite and not negative, got {found}")
    from sae_surgery.metrics.measures.assignment import assign, upper_bound

    similarity = np.ascontiguousarray(similarity, dtype=np.float64)
    partner, prices = assign(similarity)
    rows = np.flatnonzero(partner >= 0)
    total = similarity[rows, partner[rows]].sum()
    bound = upper_bound(similarity, prices)
    if bound - total > TOLERANCE * bound:
        raise RuntimeError(f"assignment: {total} was found where {bound} may be possible")
    return _completed(partner, similarity.shape[1])


def _completed(partner: np.ndarray, n_columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Pair the rows left alone (-1), which then gain nothing, with columns that are left."""
    alone = np.flatnonzero(partner < 0)
    free = np.setdiff1d(np.arange(n_columns), partner)
    n_pairs = min(len(alone), len(free))
    partner[alone[:n_pairs]] = free[:n_pairs]
    rows = np.flatnonzero(partner >= 0)
    return rows, partner[rows]


def _check_lengths(left: np.ndarray, right: np.ndarray) -> None:
    if len(left) != len(right):
        raise ValueError(
            f"columns to compare must be equally long, got {len(left)} and {len(right)}"
        )


def _directions(columns: np.ndarray) -> np.ndarray:
    """Scale columns to unit norm and set those without a direction to zero."""
    columns = np.asarray(columns, dtype=np.float64)
    return columns * _scales(columns)


def _centred_directions(columns: np.ndarray) -> np.ndarray:
    """Take their means off columns, and scale them likewise."""
    centred = columns - columns.mean(axis=0, dtype=np.float64)
    # In place: codes of many samples are the largest arrays of all.
    centred *= _scales(centred)
    return centred


def _scales(columns: np.ndarray) -> np.ndarray:
    """Return one over the norm of each column, zero where there is no direction."""
    norms = np.sqrt(np.einsum("ij,ij->j", columns, columns))
    return np.divide(1.0, norms, out=np.zeros_like(norms), where=norms >= SMALLEST_NORM)
