"""Sparse autoencoders: four types, one training loop, gradients by hand, seeds stacked.

`relu`, `topk`, `jumprelu` share the affine encoder of `affine`; `pursuit` has no encoder.
`training` runs them all.
"""

from sae_surgery.learning.autoencoder.base import (
    Autoencoder,
    AutoencoderParameters,
    TrainingSettings,
)
from sae_surgery.learning.autoencoder.jumprelu import JumpRelu, JumpReluSettings
from sae_surgery.learning.autoencoder.pursuit import MatchingPursuit
from sae_surgery.learning.autoencoder.relu import Relu, ReluSettings
from sae_surgery.learning.autoencoder.topk import TopK
from sae_surgery.learning.autoencoder.training import TrainingHistory, train_autoencoder

__all__ = [
    "Autoencoder",
    "AutoencoderParameters",
    "JumpRelu",
    "JumpReluSettings",
    "MatchingPursuit",
    "Relu",
    "ReluSettings",
    "TopK",
    "TrainingHistory",
    "TrainingSettings",
    "train_autoencoder",
]
