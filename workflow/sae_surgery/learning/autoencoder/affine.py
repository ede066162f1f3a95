"""Autoencoders with an affine encoder: z = σ(W_e (y − b_d) + b_e), ŷ = W_d z + b_d, z ≥ 0.

The indicator 1[z > 0] is written `codes.sign()`, and other comparisons are made in place on
floats: at these sizes, multiplying by a boolean tensor costs as much as a matrix product.
"""

from abc import abstractmethod

import torch
from torch import Tensor

from sae_surgery.learning.autoencoder.base import (
    Autoencoder,
    AutoencoderParameters,
    BatchLoss,
    mean_square,
)


class AffineAutoencoder(Autoencoder):
    """The part of the forward and backward pass that does not depend on the activation σ."""

    learns = ("encoder_weight", "encoder_bias", "decoder", "decoder_bias")

    @abstractmethod
    def activate(self, parameters: AutoencoderParameters, preactivations: Tensor) -> Tensor:
        """Return the codes of preactivations; both (seed, sample, atom)."""

    @abstractmethod
    def pull_back(
        self,
        parameters: AutoencoderParameters,
        preactivations: Tensor,
        codes: Tensor,
        codes_gradient: Tensor,
        gradients: dict[str, Tensor],
    ) -> Tensor:
        """Carry the gradient from the codes back to the preactivations, all (seed, sample, atom).

        `codes_gradient` is that of the reconstruction error; the penalty's is added here. If the
        activation has parameters, their gradient is written to `gradients`.
        """

    def regulariser(self, codes: Tensor) -> Tensor:
        """Return the regulariser of codes (seed, sample, atom), mean over samples: (seed,)."""
        return codes.new_zeros(len(codes))

    def encode(self, parameters: AutoencoderParameters, observations: Tensor) -> Tensor:
        """Infer codes (seed, sample, atom) of observations (seed, sample, obs)."""
        centred = observations - parameters.decoder_bias[:, None]
        return self.activate(parameters, _preactivations(parameters, centred))

    def differentiate(
        self,
        parameters: AutoencoderParameters,
        batch: Tensor,
        gradients: dict[str, Tensor],
        obs_dim: int,
    ) -> BatchLoss:
        """Evaluate the loss on a batch (seed, sample, obs) and its gradient; see `Autoencoder`."""
        decoder_bias = parameters.decoder_bias[:, None]
        centred = batch - decoder_bias
        preactivations = _preactivations(parameters, centred)
        codes = self.activate(parameters, preactivations)
        error = torch.baddbmm(decoder_bias, codes, parameters.decoder.mT) - batch

        error_gradient = error * (2 / (error.shape[1] * obs_dim))
        torch.bmm(error_gradient.mT, codes, out=gradients["decoder"])
        codes_gradient = torch.bmm(error_gradient, parameters.decoder)
        gradient = self.pull_back(parameters, preactivations, codes, codes_gradient, gradients)
        torch.bmm(gradient.mT, centred, out=gradients["encoder_weight"])
        encoder_bias_gradient = torch.sum(gradient, 1, out=gradients["encoder_bias"])
        # b_d is added to the reconstruction and subtracted from what the encoder sees.
        through_encoder = (encoder_bias_gradient[..., None] * parameters.encoder_weight).sum(1)
        torch.sub(error_gradient.sum(1), through_encoder, out=gradients["decoder_bias"])
        return BatchLoss(mean_square(error, obs_dim), self.regulariser(codes))


def _preactivations(parameters: AutoencoderParameters, centred: Tensor) -> Tensor:
    """Return W_e y + b_e (seed, sample, atom) of centred observations y (seed, sample, obs)."""
    bias = parameters.encoder_bias[:, None]
    return torch.baddbmm(bias, centred, parameters.encoder_weight.mT)
