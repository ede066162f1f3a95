"""Orthogonal matching pursuit: at most k atoms a sample, the values fitted anew at each step.

Sources: Pati, Rezaiifar and Krishnaprasad, Orthogonal matching pursuit, Asilomar 1993; its
non-negative form in Bruckstein, Elad and Zibulevsky, On the uniqueness of nonnegative sparse
solutions to underdetermined systems of equations, IEEE Trans. Information Theory 54 (2008); values
as in Lawson and Hanson, Solving least squares problems (1974), chapter 23.
"""

from torch import Tensor

from sae_surgery.inference.greedy import pursue
from sae_surgery.inference.greedy_kernels import NON_NEGATIVE, SIGNED
from sae_surgery.inference.sparse import SparseCodes


def omp(
    observations: Tensor,
    dictionary: Tensor,
    k: int | Tensor,
    non_negative: bool = True,
    swaps: int = 0,
) -> SparseCodes:
    """Infer codes with at most k active atoms a sample.

    Each step takes, of the atoms not active, the one of largest dᵀr / ‖d‖ with the residual r, or
    |dᵀr| / ‖d‖ if signed (the first on ties), and moves the values of the active ones to the least
    squares. Where codes are non-negative, an atom whose value would turn negative on the way there
    leaves, as in Lawson and Hanson; it may come back. Every step lowers the error, so that no set
    of atoms comes back either. A sample ends with k active atoms; or with fewer, where no
    correlation is above rounding in single precision (1e-7 ‖y‖), the best atom depends on the
    active ones, or it has taken 10 k steps.

    A sample's codes depend on its own observation and k, the dictionary and nothing else.

    Parameters
    ----------
    observations
        Y (seed, sample, obs), in single or double precision.
    dictionary
        D (seed, obs, atom), of the same type; columns of any length, of which zeros are not taken.
    k
        Largest number of active atoms; one for all, or for each sample, (sample,) or
        (seed, sample), int64.
    non_negative
        Whether codes are kept at or above zero.
    swaps
        How often a sample with k active atoms may exchange one: the atom without which the error is
        smallest leaves, and the pursuit goes on until k are active again. What does not lower the
        error is undone, and ends the exchanges.

    Returns
    -------
    Codes with respect to D as it is given.

    Raises
    ------
    ValueError
        If shapes or types do not go together, `k` or `swaps` is out of range, or a number is not
        finite.
    """
    return pursue(observations, dictionary, k, NON_NEGATIVE if non_negative else SIGNED, swaps)
