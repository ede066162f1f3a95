"""What all autoencoders have in common: parameters, settings, and the two things a type must do."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sae_surgery.checks import (
    require_non_negative,
    require_positive,
    require_positive_integer,
)
from sae_surgery.inference.columns import unit_columns
from sae_surgery.learning.autoencoder.learner import Batches, Learner
from sae_surgery.learning.streams import initial_encoder_weight


class AutoencoderParameters(NamedTuple):
    """The parameters of one autoencoder per seed: W_e, b_e, W_d, b_d and, for JumpReLU, log θ."""

    encoder_weight: Tensor
    """W_e (seed, atom, obs)"""
    encoder_bias: Tensor
    """b_e (seed, atom)"""
    decoder: Tensor
    """W_d (seed, obs, atom), the learned dictionary"""
    decoder_bias: Tensor
    """b_d (seed, obs)"""
    log_threshold: Tensor | None = None
    """log θ (seed, atom), None for types without thresholds"""

    def to(self, like: Tensor) -> "AutoencoderParameters":
        """Return the parameters with the type and on the device of a tensor."""
        return self._each(lambda value: value.to(like))

    def clone(self) -> "AutoencoderParameters":
        """Return a copy, contiguous, that shares no memory."""
        return self._each(lambda value: value.clone(memory_format=torch.contiguous_format))

    def _each(self, change: Callable[[Tensor], Tensor]) -> "AutoencoderParameters":
        return AutoencoderParameters(*(None if value is None else change(value) for value in self))


class BatchLoss(NamedTuple):
    """What one batch costs, by seed."""

    reconstruction: Tensor
    """(seed,), squared error, mean over samples and observed dimensions"""
    regulariser: Tensor
    """(seed,), mean over samples, before it is multiplied by the penalty; 0 where there is none"""


@dataclass(frozen=True)
class TrainingSettings:
    """How an autoencoder is trained; the defaults are the paper's.

    Raises
    ------
    ValueError
        If a value is out of range.
    """

    epochs: int = 500
    batch_size: int = 64
    learning_rate: float = 5e-4
    weight_decay: float = 0.01
    renormalise_every: int = 50
    """The decoder's columns are renormalised after epochs 0, this, twice this, …"""
    record_every: int = 10
    """A fitted model holds the parameters after epochs 0, this, twice this, … and the last."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        require_positive_integer(
            epochs=self.epochs,
            batch_size=self.batch_size,
            renormalise_every=self.renormalise_every,
            record_every=self.record_every,
        )
        require_positive(learning_rate=self.learning_rate)
        require_non_negative(weight_decay=self.weight_decay)


class Autoencoder(ABC):
    """One type of autoencoder: how it encodes, and the gradient of its loss."""

    name: ClassVar[str]
    learns: ClassVar[tuple[str, ...]]
    """The parameters that receive a gradient; the optimiser leaves the others alone."""

    def __init__(self, settings: TrainingSettings) -> None:
        self.settings = settings

    def initial_parameters(
        self, seeds: Sequence[int], width: int, obs_dim: int
    ) -> AutoencoderParameters:
        """Return the parameters before training, on the CPU: W_d is W_eᵀ with unit columns."""
        encoder_weight = initial_encoder_weight(seeds, width, obs_dim)
        return AutoencoderParameters(
            encoder_weight=encoder_weight,
            encoder_bias=torch.zeros(len(seeds), width),
            decoder=unit_columns(encoder_weight.mT).contiguous(),
            decoder_bias=torch.zeros(len(seeds), obs_dim),
        )

    @abstractmethod
    def encode(self, parameters: AutoencoderParameters, observations: Tensor) -> Tensor:
        """Infer codes (seed, sample, atom) of observations (seed, sample, obs)."""

    @abstractmethod
    def differentiate(
        self,
        parameters: AutoencoderParameters,
        batch: Tensor,
        gradients: dict[str, Tensor],
        obs_dim: int,
    ) -> BatchLoss:
        """Evaluate the loss on a batch and its gradient.

        The loss of each seed is its reconstruction error plus penalty times regulariser.

        Parameters
        ----------
        parameters
            Where to evaluate.
        batch
            Y (seed, sample, obs)
        gradients
            Overwritten with the gradient: a tensor for each name in `learns`.
        obs_dim
            Number of observed dimensions that count in means; the batch may have more, all zero.
        """

    @abstractmethod
    def compiled_epoch(self, learner: Learner, batches: Batches) -> NDArray[np.float64]:
        """Train one seed on the CPU for an epoch; see `learner` for what it is given.

        Returns
        -------
        Reconstruction error and regulariser, (2,): means over the samples, before the steps.
        """


def mean_square(error: Tensor, obs_dim: int) -> Tensor:
    """Return the mean square (seed,) of errors (seed, sample, obs), of which `obs_dim` count."""
    # Over one dimension after the other: summed over both at once, the last bit would depend on how
    # many seeds are stacked.
    return error.square().sum(1).sum(1) / (error.shape[1] * obs_dim)
