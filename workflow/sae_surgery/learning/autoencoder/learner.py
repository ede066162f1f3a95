"""What the compiled epochs work on: one seed's parameters, AdamW's memory, its batches."""

from typing import NamedTuple

from numpy.typing import NDArray

LOG_THRESHOLD_CEILING = 20.0
"""log θ counts as this above it, so that θ stays finite."""


class Weights(NamedTuple):
    """The parameters of one seed, or a number for each that AdamW remembers."""

    encoder: NDArray
    """W_e (atom, obs)"""
    encoder_bias: NDArray
    """b_e (1, atom)"""
    atoms: NDArray
    """W_dᵀ (atom, obs)"""
    decoder_bias: NDArray
    """b_d (1, obs)"""
    log_threshold: NDArray
    """log θ (1, atom); empty for types without thresholds"""


class Learner(NamedTuple):
    """What one seed learns, and AdamW's memory of it."""

    values: Weights
    first: Weights
    """Running means of the gradient"""
    second: Weights
    """and of its square"""
    learns_atoms: bool
    """Whether the decoder moves"""


class Batches(NamedTuple):
    """What one seed visits in an epoch."""

    observations: NDArray
    """Y (sample, obs), zero in the dimensions that only pad"""
    obs_dim: int
    """Dimensions that count in means"""
    order: NDArray
    """The samples in the order of visits, (sample,)"""
    size: int
    """Samples in a batch; the last one may have fewer"""
    rates: NDArray
    """(batch, 3), see `learning.kernels.update`"""
