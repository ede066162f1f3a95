"""Gradient descent on batches: with tensors on any device, or by compiled loops on a CPU.

Both take the loss of one batch after another, project the decoder's gradient orthogonal to its
columns and update by AdamW, with PyTorch's defaults but for learning rate and weight decay. Only
rounding tells them apart.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sae_surgery.inference.layout import VECTOR_WIDTH
from sae_surgery.learning.autoencoder.base import (
    Autoencoder,
    AutoencoderParameters,
    BatchLoss,
    TrainingSettings,
)
from sae_surgery.learning.autoencoder.learner import Batches, Learner, Weights
from sae_surgery.learning.seeds import adamw_rates, each_seed
from sae_surgery.machine.checkpoints import InPlace


class Descent(ABC):
    """What is learned, and how an epoch changes it.

    Parameters
    ----------
    autoencoder
        The type, with its settings.
    learns
        Which of the parameters that the type learns are learned; all, or all but the decoder.
    parameters
        Where to start, on the device of the observations; copied.
    observations
        Y (seed, sample, obs), as wide as the decoder.
    obs_dim
        Number of observed dimensions that count in means; the others are zero.
    """

    parameters: AutoencoderParameters
    """As they are now; always the same memory."""

    @abstractmethod
    def __init__(
        self,
        autoencoder: Autoencoder,
        learns: Sequence[str],
        parameters: AutoencoderParameters,
        observations: Tensor,
        obs_dim: int,
    ) -> None: ...

    @abstractmethod
    def epoch(self, order: Tensor) -> BatchLoss:
        """Visit the samples in an order (seed, sample); return the mean loss before the steps."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return what epochs change."""

    @abstractmethod
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` has told."""


def descent_for(observations: Tensor) -> type[Descent]:
    """Return the faster of the descents that can work on the observations."""
    compiled = observations.device.type == "cpu" and observations.dtype == torch.float32
    return CompiledDescent if compiled else TorchDescent


class TorchDescent(Descent):
    """All seeds in the same steps, which launches few kernels on a GPU."""

    def __init__(self, autoencoder, learns, parameters, observations, obs_dim):
        self.autoencoder, self.observations, self.obs_dim = autoencoder, observations, obs_dim
        self.learns = learns
        self.parameters, self.gradients, self.optimiser = _optimise(
            autoencoder.settings, learns, parameters
        )
        # The gradient of a decoder that stays as it is has no use, but a place.
        self.gradients.setdefault("decoder", torch.empty_like(parameters.decoder))

    def epoch(self, order: Tensor) -> BatchLoss:
        """Visit the samples in an order (seed, sample); return the mean loss before the steps."""
        n_seeds, n_samples = order.shape
        means = BatchLoss(*self.observations.new_zeros(2, n_seeds))
        shuffled = _shuffle(self.observations, order)
        for batch in shuffled.split(self.autoencoder.settings.batch_size, dim=1):
            loss = self.autoencoder.differentiate(
                self.parameters, batch, self.gradients, self.obs_dim
            )
            _project(self.gradients["decoder"], self.parameters.decoder)
            self.optimiser.step()
            for mean, value in zip(means, loss, strict=True):
                mean.add_(value, alpha=batch.shape[1] / n_samples)
        return means

    def state_dict(self) -> dict[str, Any]:
        """Return what epochs change."""
        learned = {name: getattr(self.parameters, name) for name in self.learns}
        return {"learned": learned, "optimiser": self.optimiser.state_dict()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` has told."""
        for name, value in state_dict["learned"].items():
            getattr(self.parameters, name).copy_(value)
        self.optimiser.load_state_dict(state_dict["optimiser"])


class CompiledDescent(Descent):
    """One seed after another on a CPU, or as many at once as there are threads.

    A seed's numbers do not depend on the others, nor on the number of threads.
    """

    def __init__(self, autoencoder, learns, parameters, observations, obs_dim):
        self.autoencoder, self.obs_dim = autoencoder, obs_dim
        self.observations = observations.contiguous()
        atoms = parameters.decoder.mT.clone(memory_format=torch.contiguous_format)
        self.parameters = parameters.clone()._replace(decoder=atoms.mT)
        values = [
            Weights(
                encoder=self.parameters.encoder_weight[seed].numpy(),
                encoder_bias=self.parameters.encoder_bias[seed, None].numpy(),
                atoms=atoms[seed].numpy(),
                decoder_bias=self.parameters.decoder_bias[seed, None].numpy(),
                log_threshold=_threshold_or_empty(self.parameters, seed),
            )
            for seed in range(len(observations))
        ]
        self.learners = [
            Learner(each, _zeros_like(each), _zeros_like(each), "decoder" in learns)
            for each in values
        ]
        self.n_steps = 0

    def epoch(self, order: Tensor) -> BatchLoss:
        """Visit the samples in an order (seed, sample); return the mean loss before the steps."""
        settings = self.autoencoder.settings
        n_batches = math.ceil(order.shape[1] / settings.batch_size)
        rates = adamw_rates(self.n_steps, n_batches, settings.learning_rate, settings.weight_decay)
        self.n_steps += n_batches

        def train(learner, observations: Tensor, order: Tensor) -> np.ndarray:
            samples = observations.numpy(), self.obs_dim, order.numpy()
            return self.autoencoder.compiled_epoch(
                learner, Batches(*samples, settings.batch_size, rates)
            )

        losses = each_seed(train, self.learners, self.observations, order)
        return BatchLoss(*self.observations.new_tensor(np.array(losses)).T)

    def state_dict(self) -> dict[str, Any]:
        """Return what epochs change."""
        return {"n_steps": self.n_steps, "arrays": self._arrays().state_dict()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` has told."""
        self.n_steps = state_dict["n_steps"]
        self._arrays().load_state_dict(state_dict["arrays"])

    def _arrays(self) -> InPlace:
        weights = (part for learner in self.learners for part in learner[:3])
        return InPlace(*(array for part in weights for array in part))


def _threshold_or_empty(parameters: AutoencoderParameters, seed: int) -> np.ndarray:
    if parameters.log_threshold is None:
        return np.empty((1, 0), np.float32)
    return parameters.log_threshold[seed, None].numpy()


def _zeros_like(weights):
    return type(weights)(*(np.zeros_like(value) for value in weights))


def _optimise(
    settings: TrainingSettings, learns: Sequence[str], parameters: AutoencoderParameters
) -> tuple[AutoencoderParameters, dict[str, Tensor], torch.optim.Optimizer]:
    """Move what is learned into one flat tensor, so that the optimiser's step is a single call.

    Returns
    -------
    The parameters, their gradients by name, and the optimiser; the learned parameters and the
    gradients are views of the two tensors that the optimiser sees.
    """
    learned = {name: getattr(parameters, name) for name in learns}
    sizes = [value.numel() + -value.numel() % VECTOR_WIDTH for value in learned.values()]
    flat = parameters.decoder.new_zeros(sum(sizes))
    flat.grad = torch.zeros_like(flat)
    views, gradients = {}, {}
    blocks = zip(learned.items(), flat.split(sizes), flat.grad.split(sizes), strict=True)
    for (name, value), block, gradient_block in blocks:
        views[name] = block[: value.numel()].view_as(value).copy_(value)
        gradients[name] = gradient_block[: value.numel()].view_as(value)
    optimiser = torch.optim.AdamW(
        [flat], lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    return parameters._replace(**views), gradients, optimiser


def _shuffle(observations: Tensor, order: Tensor) -> Tensor:
    """Return each seed's observations (seed, sample, obs) in its own order (seed, sample)."""
    order = order.to(observations.device)
    return torch.stack([y.index_select(0, p) for y, p in zip(observations, order, strict=True)])


def _project(gradient: Tensor, decoder: Tensor) -> None:
    """Remove, in place, what points along the decoder's columns; both (seed, obs, atom).

    The columns count as they are: between renormalisations they are only close to unit length.
    """
    along = (gradient * decoder).sum(1, keepdim=True)
    gradient.addcmul_(along, decoder, value=-1)
