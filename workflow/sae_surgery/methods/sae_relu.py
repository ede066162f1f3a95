"""The sparse autoencoder with an L1 penalty."""

from typing import ClassVar

from sae_surgery.learning.autoencoder import Relu, ReluSettings
from sae_surgery.methods._autoencoder import AutoencoderMethod


class SaeRelu(AutoencoderMethod):
    """z = ReLU(W_e(y − b_d) + b_e), penalised by the mean of ‖z‖₁ (protocol, section 2)."""

    title = "SAE (ReLU)"
    family = "sae"
    gpu_from = 1000
    max_latents = 100_000
    dictionaries_recorded = 102  # After 51 epochs, encoder and decoder
    dense = 0.5  # Fewer from n = 500 on, in and after training
    Settings: ClassVar[type] = ReluSettings

    def autoencoder(self, k: int) -> Relu:
        """Return the ReLU autoencoder; it does not know k."""
        return Relu(self.settings)
