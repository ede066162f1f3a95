"""The sparse autoencoder whose encoder is matching pursuit with its decoder."""

from typing import ClassVar

import torch
from torch import Tensor

from sae_surgery.inference.columns import unit_columns
from sae_surgery.learning.autoencoder import MatchingPursuit, TrainingSettings
from sae_surgery.methods._autoencoder import AutoencoderMethod
from sae_surgery.methods.base import Model


class SaeMp(AutoencoderMethod):
    """k greedy steps with the decoder's unit columns; k is known (protocol, section 2)."""

    title = "SAE (MP)"
    family = "sae"
    gpu_from = 1000
    max_latents = 100_000
    dictionaries_recorded = 102  # After 51 epochs, encoder and decoder
    signed = True
    Settings: ClassVar[type] = TrainingSettings

    def autoencoder(self, k: int) -> MatchingPursuit:
        """Return the matching-pursuit autoencoder."""
        return MatchingPursuit(self.settings, k)

    def decode(self, model: Model, codes: Tensor) -> Tensor:
        """Decode with unit columns, as codes are found; training leaves them only nearly so."""
        dictionary = unit_columns(model.tensor("dictionary"))
        return torch.bmm(codes, dictionary.mT) + model.tensor("decoder_bias")[:, None]
