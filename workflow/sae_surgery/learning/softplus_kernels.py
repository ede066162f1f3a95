"""The steps of `softplus_adam` on a CPU, compiled; single precision.

Samples are worked on in blocks, whose codes stay in the cache from the logarithm to Adam.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sae_surgery.inference.columns import NORM_FLOOR
from sae_surgery.learning.kernels import compiled, update, update_row
from sae_surgery.machine.jit import jit

# Without licence to reorder sums, which the reduction of an exponent's argument would not survive.
elementwise = jit(fastmath={"contract", "nsz"}, error_model="numpy", nogil=True)

BLOCK_CODES = 2**15
"""Codes in a block"""

BLOCK_SAMPLES = 64
"""and samples in it, at least"""


class Samples(NamedTuple):
    """One set of samples with what is learned about it, and Adam's memory of that."""

    observations: NDArray
    """Y (sample, obs)"""
    logits: NDArray
    """u (sample, atom)"""
    first: NDArray
    """Running mean of the gradient by u"""
    second: NDArray
    """and of its square"""


class Dictionary(NamedTuple):
    """The dictionary, and Adam's memory of it."""

    extended: NDArray
    """(row, atom): D, the norms of its columns, and padding"""
    first: NDArray
    """(obs, atom)"""
    second: NDArray
    """(obs, atom)"""


@compiled
def measure(extended, obs_dim):
    """Write the norms of the dictionary's columns into the row after the last."""
    extended[obs_dim] = 0
    for row in range(obs_dim):
        for atom in range(extended.shape[1]):
            extended[obs_dim, atom] += extended[row, atom] ** 2
    for atom in range(extended.shape[1]):
        extended[obs_dim, atom] = np.sqrt(extended[obs_dim, atom])


@compiled
def code(samples, extended, lam, rates, by_extended):
    """Take an Adam step with the logits of a set of samples.

    Parameters
    ----------
    samples
        See `Samples`.
    extended
        See `Dictionary`.
    lam
        λ
    rates
        Those of `update_row`.
    by_extended
        The gradient of the loss by the extended dictionary is added to it; of no rows if it is not
        wanted.

    Returns
    -------
    The share of these samples in the loss before the step.
    """
    n_samples, obs_dim = samples.observations.shape
    n_atoms = extended.shape[1]
    number = extended.dtype.type
    error_scale, penalty = number(2 / (n_samples * obs_dim)), number(lam / (n_samples * n_atoms))
    squares, lengths = 0.0, 0.0
    size = max(BLOCK_CODES // n_atoms, BLOCK_SAMPLES)
    for start in range(0, n_samples, size):
        block = slice(start, min(start + size, n_samples))
        logits = samples.logits[block]
        codes, slopes = np.empty_like(logits), np.empty_like(logits)
        softplus(logits, codes, slopes)
        residual = np.dot(codes, extended.T)
        for sample in range(len(residual)):
            partial = number(0)
            for i in range(obs_dim):
                error = residual[sample, i] - samples.observations[start + sample, i]
                partial += error * error
                residual[sample, i] = error_scale * error
            squares += partial
            lengths += residual[sample, obs_dim]
            residual[sample, obs_dim] = penalty
        gradient = np.dot(residual, extended)
        if len(by_extended) > 0:
            by_extended += np.dot(residual.T, codes)
        for sample in range(len(gradient)):
            for atom in range(n_atoms):
                gradient[sample, atom] *= slopes[sample, atom]
        update(logits, gradient, samples.first[block], samples.second[block], rates)
    return squares / (n_samples * obs_dim) + lengths * lam / (n_samples * n_atoms)


@compiled
def learn(dictionary, by_extended, rates):
    """Take an Adam step with the dictionary, given the gradient by the extended one."""
    extended, obs_dim = dictionary.extended, len(dictionary.first)
    lengths = np.maximum(extended[obs_dim], extended.dtype.type(NORM_FLOOR))
    for row in range(obs_dim):
        for atom in range(extended.shape[1]):
            by_length = by_extended[obs_dim, atom] * extended[row, atom] / lengths[atom]
            by_extended[row, atom] += by_length
        update_row(extended, row, by_extended, row, dictionary.first, dictionary.second, rates)


@elementwise
def softplus(logits, codes, slopes):
    """Write softplus(u) = log(1 + eᵘ) and its derivative 1 / (1 + e⁻ᵘ) of u (sample, atom)."""
    zero, one = np.float32(0), np.float32(1)
    for sample in range(len(logits)):
        for atom in range(logits.shape[1]):
            logit = logits[sample, atom]
            small = decaying_exponential(-abs(logit))
            codes[sample, atom] = max(logit, zero) + logarithm_above_one(small)
            slopes[sample, atom] = (one if logit >= 0 else small) / (one + small)


@elementwise
def decaying_exponential(x):
    """Return eˣ for x ≤ 0, to a few units in the last place; below −87 that of −87.

    With x = k log 2 + r, |r| ≤ log 2 / 2, it is 2ᵏ times the Taylor series of eʳ. Loops over the
    library's exponential would not be vectorised.
    """
    number = np.float32
    x = max(x, number(-87))
    k = np.floor(x * number(1.4426950408889634) + number(0.5))
    # log 2 in two parts, the first of so few digits that its multiples are exact.
    r = (x - k * number(0.693359375)) - k * number(-2.12194440e-4)
    series = number(1 / 5040)
    series = series * r + number(1 / 720)
    series = series * r + number(1 / 120)
    series = series * r + number(1 / 24)
    series = series * r + number(1 / 6)
    series = series * r + number(1 / 2)
    series = series * r + number(1)
    series = series * r + number(1)
    power = np.int32((np.int32(k) + np.int32(127)) << np.int32(23)).view(np.float32)
    return series * power


@elementwise
def logarithm_above_one(x):
    """Return log(1 + x) for 0 ≤ x ≤ 1, to a few units in the last place.

    With s = x / (2 + x) it is 2 artanh s = 2 (s + s³/3 + s⁵/5 + …).
    """
    number = np.float32
    s = x / (number(2) + x)
    square = s * s
    series = number(1 / 15)
    series = series * square + number(1 / 13)
    series = series * square + number(1 / 11)
    series = series * square + number(1 / 9)
    series = series * square + number(1 / 7)
    series = series * square + number(1 / 5)
    series = series * square + number(1 / 3)
    series = series * square + number(1)
    return number(2) * s * series
