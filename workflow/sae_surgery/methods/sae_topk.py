"""The sparse autoencoder that keeps the k largest activations."""

from typing import ClassVar

from sae_surgery.learning.autoencoder import TopK, TrainingSettings
from sae_surgery.methods._autoencoder import AutoencoderMethod


class SaeTopk(AutoencoderMethod):
    """The k largest preactivations, then ReLU; k is known (protocol, section 2)."""

    title = "SAE (TopK)"
    family = "sae"
    gpu_from = 1000
    max_latents = 100_000
    dictionaries_recorded = 102  # After 51 epochs, encoder and decoder
    Settings: ClassVar[type] = TrainingSettings

    def autoencoder(self, k: int) -> TopK:
        """Return the TopK autoencoder."""
        return TopK(self.settings, k)
