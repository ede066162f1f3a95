"""How far single precision carries a published MCC from the exact one, by the number of samples.

The published MCC divides centred codes by standard deviations that were summed in float32, one
sample after another; ours are in float64. On the same codes the two MCC differ by 1e-6 where 2500
samples are scored, by 1.5e-5 where 25 000 are and by 2.6e-5 where 50 000 are, and what was
published differs from ours by as much.

Where a latent is not active, its centred code is minus its mean: the same addend again and again,
which float32 rounds the same way as long as the sum keeps its exponent. These errors do not cancel
but grow with the number of additions n. Each is at most u times the sum so far, which grows evenly,
so that all are at most n u / 2 of the whole sum if every addend is the constant one. The constant
ones make up only a share of the sum of squares, and their errors no larger a share. A correlation
has the roots of two such sums: half the error of each.
"""

import numpy as np

UNIT_ROUNDOFF = 2.0**-24
"""Of float32."""


def reach(n_latents: np.ndarray, k: np.ndarray, n_samples: np.ndarray) -> np.ndarray:
    """Return the most by which errors that do not cancel can move a correlation.

    Parameters
    ----------
    n_latents, k, n_samples
        Size of the cell. Half as many samples are scored as there are in distribution, and those
        latents that can be active there, half of them, are so with probability 2 k / n.
    """
    active = np.minimum(1.0, 2 * np.asarray(k) / n_latents)
    return np.asarray(n_samples) / 2 * UNIT_ROUNDOFF / 2 * share_of_inactive(active)


def share_of_inactive(active: np.ndarray) -> np.ndarray:
    """Return what inactive samples contribute to the variance of a latent.

    With probability p a latent is active, and then uniform on (0, 1): the variance is p/3 − p²/4,
    of which (1 − p) (p/2)² is the squared mean where it is not.
    """
    return 3 * active * (1 - active) / (4 - 3 * active)
