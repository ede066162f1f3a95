"""The sparse autoencoder with learned thresholds."""

from typing import ClassVar

from sae_surgery.learning.autoencoder import JumpRelu, JumpReluSettings
from sae_surgery.methods._autoencoder import AutoencoderMethod


class SaeJumprelu(AutoencoderMethod):
    """Codes above a learned threshold, penalised by the mean of ‖z‖₀ (protocol, section 2)."""

    title = "SAE (JumpReLU)"
    family = "sae"
    gpu_from = 1000
    max_latents = 100_000
    dictionaries_recorded = 102  # After 51 epochs, encoder and decoder
    dense = 0.5  # Fewer from n = 500 on, in and after training
    Settings: ClassVar[type] = JumpReluSettings

    def autoencoder(self, k: int) -> JumpRelu:
        """Return the JumpReLU autoencoder; it does not know k."""
        return JumpRelu(self.settings)
