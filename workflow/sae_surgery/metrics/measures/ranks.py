"""The Mann-Whitney statistic of sorted scores; compiled."""

import numpy as np

from sae_surgery.machine.jit import jit


@jit()
def count_wins(positives, negatives):
    """Count, for each row, the (positive, negative) pairs in which the positive is larger.

    Parameters
    ----------
    positives, negatives
        Scores (row, a) and (row, b), ascending.

    Returns
    -------
    Counts (row,); a tie counts one half.
    """
    wins = np.empty(len(positives))
    for i in range(len(positives)):
        below, not_above, twice = 0, 0, 0
        others = negatives[i]
        for score in positives[i]:
            while below < len(others) and others[below] < score:
                below += 1
            not_above = max(not_above, below)
            while not_above < len(others) and others[not_above] == score:
                not_above += 1
            twice += below + not_above
        wins[i] = twice / 2
    return wins
