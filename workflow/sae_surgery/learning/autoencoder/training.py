"""The training loop of all autoencoders."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from sae_surgery.inference.columns import unit_columns
from sae_surgery.inference.layout import VECTOR_WIDTH
from sae_surgery.learning.autoencoder.base import Autoencoder, AutoencoderParameters
from sae_surgery.learning.streams import LOADER_ORDER, BatchOrder
from sae_surgery.progress import Tracker, silent


class TrainingHistory(NamedTuple):
    """What the training batches cost before their steps, averaged over each epoch's samples."""

    reconstruction: Tensor
    """(seed, epoch), squared error, mean over samples and observed dimensions"""
    regulariser: Tensor
    """(seed, epoch), before it is multiplied by the penalty; 0 for types without one"""


def _ignore(epoch: int, parameters: AutoencoderParameters) -> None:
    """Do nothing after an epoch."""


@torch.no_grad()
def train_autoencoder(
    autoencoder: Autoencoder,
    observations: Tensor,
    width: int,
    seeds: Sequence[int],
    progress: Tracker = silent,
    on_epoch: Callable[[int, AutoencoderParameters], None] = _ignore,
) -> tuple[AutoencoderParameters, TrainingHistory]:
    """Train one autoencoder a seed, all in the same steps, on the device of the observations.

    Each step takes the loss of one batch, projects the decoder's gradient orthogonal to its columns
    and updates by AdamW (PyTorch's defaults but for learning rate and weight decay). On a CPU, a
    seed's result does not depend on the others to the last bit, as long as no epoch ends in a batch
    of 1, 2, 3, 5, 6 or 7 samples: products of so few rows have kernels of their own.

    Parameters
    ----------
    autoencoder
        The type, with its settings.
    observations
        Y (seed, sample, obs); seeds may see different ones.
    width
        Number of atoms.
    seeds
        They decide the initial encoder and the order of the batches, one seed for each problem.
    progress
        Wraps the loop over epochs.
    on_epoch
        Called after each epoch with its number, from 0, and the parameters, which are views: copy
        what should stay.

    Raises
    ------
    ValueError
        If the observations are not of shape (seed, sample, obs) with one entry for each seed.
    """
    if observations.ndim != 3 or len(observations) != len(seeds):
        raise ValueError(
            f"observations must have shape ({len(seeds)}, sample, obs), "
            f"got {tuple(observations.shape)}"
        )
    settings = autoencoder.settings
    n_samples, obs_dim = observations.shape[1:]
    observations = pad(observations, (0, -obs_dim % VECTOR_WIDTH))
    parameters = _pad(autoencoder.initial_parameters(seeds, width, obs_dim)).to(observations)
    parameters, gradients, optimiser = _optimise(autoencoder, parameters)
    trimmed = _trim(parameters, obs_dim)
    epochs_before = LOADER_ORDER.index(autoencoder.name) * settings.epochs
    order = BatchOrder(seeds, n_samples, epochs_before)
    reconstruction = observations.new_zeros(len(seeds), settings.epochs)
    history = TrainingHistory(reconstruction, torch.zeros_like(reconstruction))

    for epoch in progress(range(settings.epochs), f"sae_{autoencoder.name}"):
        for batch in _shuffle(observations, order.next_epoch()).split(settings.batch_size, dim=1):
            loss = autoencoder.differentiate(parameters, batch, gradients, obs_dim)
            _project(gradients["decoder"], parameters.decoder)
            optimiser.step()
            share = batch.shape[1] / n_samples
            for record, value in zip(history, loss, strict=True):
                record[:, epoch].add_(value, alpha=share)
        if epoch % settings.renormalise_every == 0:
            parameters.decoder.copy_(unit_columns(parameters.decoder))
        on_epoch(epoch, trimmed)
    return trimmed.clone(), history


def _optimise(
    autoencoder: Autoencoder, parameters: AutoencoderParameters
) -> tuple[AutoencoderParameters, dict[str, Tensor], torch.optim.Optimizer]:
    """Move what is learned into one flat tensor, so that the optimiser's step is a single call.

    Returns
    -------
    The parameters, their gradients by name, and the optimiser; the learned parameters and the
    gradients are views of the two tensors that the optimiser sees.
    """
    learned = {name: getattr(parameters, name) for name in autoencoder.learns}
    sizes = [value.numel() + -value.numel() % VECTOR_WIDTH for value in learned.values()]
    flat = parameters.decoder.new_zeros(sum(sizes))
    flat.grad = torch.zeros_like(flat)
    views, gradients = {}, {}
    blocks = zip(learned.items(), flat.split(sizes), flat.grad.split(sizes), strict=True)
    for (name, value), block, gradient_block in blocks:
        views[name] = block[: value.numel()].view_as(value).copy_(value)
        gradients[name] = gradient_block[: value.numel()].view_as(value)
    settings = autoencoder.settings
    optimiser = torch.optim.AdamW(
        [flat], lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    return parameters._replace(**views), gradients, optimiser


def _pad(parameters: AutoencoderParameters) -> AutoencoderParameters:
    """Append observed dimensions that are zero, and stay so in training, up to whole vectors.

    Otherwise a seed's last bits would depend on how many are stacked; see `inference.layout`.
    """
    missing = -parameters.decoder.shape[1] % VECTOR_WIDTH
    return parameters._replace(
        encoder_weight=pad(parameters.encoder_weight, (0, missing)),
        decoder=pad(parameters.decoder, (0, 0, 0, missing)),
        decoder_bias=pad(parameters.decoder_bias, (0, missing)),
    )


def _trim(parameters: AutoencoderParameters, obs_dim: int) -> AutoencoderParameters:
    """Return views of the parameters without the observed dimensions that `_pad` appended."""
    return parameters._replace(
        encoder_weight=parameters.encoder_weight[..., :obs_dim],
        decoder=parameters.decoder[:, :obs_dim],
        decoder_bias=parameters.decoder_bias[:, :obs_dim],
    )


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
