"""How close codes are to the minimum of the lasso that they are to solve."""

import numpy as np


def largest_relative_gap(
    observations: np.ndarray,
    dictionary: np.ndarray,
    codes: np.ndarray,
    lam: float,
    non_negative: bool = True,
) -> float:
    """Return the largest duality gap of codes, relative to their objective.

    With the residual r, c = Dᵀ r and s = min(1, λ / max c), s r is feasible for the dual problem,
    and the gap ½(1 − s)²‖r‖² + Σ z (λ − s c) is a sum of terms that are not negative. Where codes
    may be negative, it is max |c|, and Σ |z| (λ − s sign(z) c). It bounds what the objective
    ½‖r‖² + λ‖z‖₁ lies above its minimum (Fercoq, Gramfort and Salmon, ICML 2015).

    Parameters
    ----------
    observations
        Y (sample, obs), in the precision that codes were inferred in.
    dictionary
        D (obs, atom).
    codes
        Z (sample, atom).
    lam
        λ, positive.
    non_negative
        Whether the minimum is that over z ≥ 0; codes are non-negative then.
    """
    residual = observations - codes @ dictionary.T.astype(np.float64)
    correlations = residual @ dictionary
    largest = correlations.max(axis=1)
    if not non_negative:
        largest = np.maximum(largest, -correlations.min(axis=1))
        # Of a negative code, its size and the correlation with the opposite atom.
        correlations *= np.where(codes < 0, -1, 1)
        codes = np.abs(codes)
    scale = np.minimum(1, lam / np.maximum(largest, lam))
    squares = np.square(residual).sum(axis=1)
    gap = (1 - scale) ** 2 * squares / 2
    # In place: of all that scoring needs at once, this would be the most.
    correlations *= scale[:, None]
    np.subtract(lam, correlations, out=correlations)
    correlations *= codes
    gap += correlations.sum(axis=1)
    objective = squares / 2 + lam * codes.sum(axis=1, dtype=np.float64)
    return float((gap / np.where(objective > 0, objective, 1)).max())
