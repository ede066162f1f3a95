"""How close atoms come to other atoms, block by block."""

import numpy as np

from sae_surgery.examination._references import unit
from sae_surgery.metrics.measures.dictionary import dictionary_metrics

AT_ONCE = 2**25
"""Cosines held at once."""

MOST_MATCHED = 3000
"""Atoms up to which all are matched one to one; of larger dictionaries it takes too long."""


def nearest(left: np.ndarray, right: np.ndarray, own: bool = False) -> np.ndarray:
    """Return each column's largest cosine with any column of another dictionary, (atom,).

    Parameters
    ----------
    left, right
        Dictionaries (obs, a) and (obs, b).
    own
        Whether both are the same one, whose atoms do not count as their own neighbours.
    """
    left, right = unit(left), unit(right)
    found = np.empty(left.shape[1])
    step = max(1, AT_ONCE // right.shape[1])
    for start in range(0, left.shape[1], step):
        cosines = left[:, start : start + step].T @ right
        if own:
            places = np.arange(len(cosines))
            cosines[places, start + places] = -np.inf
        found[start : start + step] = cosines.max(axis=1)
    return found


def matched(left: np.ndarray, right: np.ndarray, stream: np.random.Generator) -> float:
    """Return the mean cosine of atoms matched one to one.

    Of more than `MOST_MATCHED` atoms a random part of the one is matched with the other's nearest
    atoms instead; references have to be compared in the same way.
    """
    n_atoms = min(left.shape[1], right.shape[1])
    if n_atoms <= MOST_MATCHED:
        return float(dictionary_metrics(left, right, signed=True).mean_signed_cosine)
    chosen = stream.choice(left.shape[1], MOST_MATCHED, replace=False)
    return float(nearest(left[:, chosen], right).mean())
