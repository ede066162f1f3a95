"""How close codes are to the minimum of the lasso that they are to solve."""

import numpy as np


def largest_relative_gap(
    observations: np.ndarray, dictionary: np.ndarray, codes: np.ndarray, lam: float
) -> float:
    """Return the largest duality gap of non-negative codes, relative to their objective.

    With the residual r, c = Dᵀ r and s = min(1, λ / max c), s r is feasible for the dual problem,
    and the gap ½(1 − s)²‖r‖² + Σ z (λ − s c) is a sum of terms that are not negative. It bounds
    what the objective ½‖r‖² + λ Σ z lies above its minimum (Fercoq, Gramfort and Salmon, ICML
    2015).

    Parameters
    ----------
    observations
        Y (sample, obs), in the precision that codes were inferred in.
    dictionary
        D (obs, atom).
    codes
        Z (sample, atom), non-negative.
    lam
        λ, positive.
    """
    residual = observations - codes @ dictionary.T.astype(np.float64)
    correlations = residual @ dictionary
    scale = np.minimum(1, lam / np.maximum(correlations.max(axis=1), lam))
    squares = np.square(residual).sum(axis=1)
    gap = (1 - scale) ** 2 * squares / 2
    # In place: of all that scoring needs at once, this would be the most.
    correlations *= scale[:, None]
    np.subtract(lam, correlations, out=correlations)
    correlations *= codes
    gap += correlations.sum(axis=1)
    objective = squares / 2 + lam * codes.sum(axis=1, dtype=np.float64)
    return float((gap / np.where(objective > 0, objective, 1)).max())
