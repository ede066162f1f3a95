"""The training loop of all autoencoders."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from sae_surgery.inference.columns import unit_columns
from sae_surgery.inference.layout import VECTOR_WIDTH
from sae_surgery.learning.autoencoder.base import Autoencoder, AutoencoderParameters
from sae_surgery.learning.autoencoder.descent import descent_for
from sae_surgery.learning.streams import LOADER_ORDER, BatchOrder
from sae_surgery.machine.checkpoints import NONE, Checkpoint, InPlace, Streams
from sae_surgery.machine.divergence import Divergence
from sae_surgery.machine.progress import Tracker, silent


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
    checkpoint: Checkpoint = NONE,
    decoder: Tensor | None = None,
    divergence: Divergence | None = None,
) -> tuple[AutoencoderParameters, TrainingHistory]:
    """Train one autoencoder a seed, on the device of the observations; see `descent`.

    On a CPU, in single precision, a seed's result does not depend on the others to the last bit.

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
    checkpoint
        Saves what is learned between epochs.
    decoder
        W_d (seed, obs, atom) that stays as it is, with an encoder that begins as its transpose;
        None has both learned.
    divergence
        Is told of seeds that diverge. When all have, training ends; else what they have is of no
        meaning.

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
    start = autoencoder.initial_parameters(seeds, width, obs_dim)
    learns = autoencoder.learns
    if decoder is not None:
        start = start._replace(decoder=decoder, encoder_weight=decoder.mT)
        learns = tuple(name for name in learns if name != "decoder")
    parameters = _pad(start).to(observations)
    descent = descent_for(observations)(autoencoder, learns, parameters, observations, obs_dim)
    parameters, trimmed = descent.parameters, _trim(descent.parameters, obs_dim)
    divergence = Divergence() if divergence is None else divergence
    epochs_before = LOADER_ORDER.index(autoencoder.name) * settings.epochs
    order = BatchOrder(seeds, n_samples, epochs_before)
    reconstruction = observations.new_zeros(len(seeds), settings.epochs)
    history = TrainingHistory(reconstruction, torch.zeros_like(reconstruction))

    changed = descent, Streams(order.generators), InPlace(*history), divergence
    learned = [getattr(parameters, name) for name in learns]
    epochs = checkpoint.steps(settings.epochs, *changed)
    for epoch in progress(epochs, f"sae_{autoencoder.name}"):
        loss = descent.epoch(order.next_epoch())
        for record, value in zip(history, loss, strict=True):
            record[:, epoch] = value
        if decoder is None and epoch % settings.renormalise_every == 0:
            parameters.decoder.copy_(unit_columns(parameters.decoder))
        divergence.check(f"at epoch {epoch}", *loss, *learned)
        on_epoch(epoch, trimmed)
        if not divergence.sound(len(seeds)):
            break
    return trimmed.clone(), history


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
