"""ReLU autoencoder: z = ReLU(pre), with an L1 penalty."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sae_surgery.checks import require_non_negative
from sae_surgery.learning.autoencoder.affine import AffineAutoencoder
from sae_surgery.learning.autoencoder.base import AutoencoderParameters, TrainingSettings


@dataclass(frozen=True)
class ReluSettings(TrainingSettings):
    """Settings of the ReLU autoencoder; the defaults are the paper's."""

    penalty: float = 1e-4
    """γ, weight of the mean over samples of ‖z‖₁"""

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        require_non_negative(penalty=self.penalty)


class Relu(AffineAutoencoder):
    """Codes are the positive preactivations; the loss adds γ · mean over samples of ‖z‖₁."""

    name = "relu"
    settings: ReluSettings

    def activate(self, parameters: AutoencoderParameters, preactivations: Tensor) -> Tensor:
        """Return the codes of preactivations; both (seed, sample, atom)."""
        return torch.relu(preactivations)

    def pull_back(
        self,
        parameters: AutoencoderParameters,
        preactivations: Tensor,
        codes: Tensor,
        codes_gradient: Tensor,
        gradients: dict[str, Tensor],
    ) -> Tensor:
        """Add the penalty's gradient and pass on what belongs to positive codes."""
        n_samples = codes.shape[1]
        return (codes_gradient + self.settings.penalty / n_samples) * codes.sign()

    def regulariser(self, codes: Tensor) -> Tensor:
        """Return the mean over samples of ‖z‖₁, (seed,); codes are non-negative."""
        return codes.sum(1).sum(1) / codes.shape[1]

    def compiled_epoch(self, learner: Any, batches: Any) -> NDArray[np.float64]:
        """Train one seed on the CPU for an epoch; see `Autoencoder`."""
        from sae_surgery.learning.autoencoder.compiled import relu_epoch

        return relu_epoch(learner, batches, self.settings.penalty)
