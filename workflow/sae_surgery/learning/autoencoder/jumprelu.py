"""JumpReLU autoencoder: learned thresholds, straight-through gradients, an L0 penalty."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sae_surgery.checks import require_non_negative, require_positive
from sae_surgery.learning.autoencoder.affine import AffineAutoencoder
from sae_surgery.learning.autoencoder.base import AutoencoderParameters, TrainingSettings
from sae_surgery.learning.autoencoder.learner import LOG_THRESHOLD_CEILING


@dataclass(frozen=True)
class JumpReluSettings(TrainingSettings):
    """Settings of the JumpReLU autoencoder; the defaults are the paper's."""

    penalty: float = 1e-4
    """γ, weight of the mean over samples of ‖z‖₀"""
    threshold_start: float = 1e-3
    """θ₀"""
    bandwidth: float = 1e-3
    """ε, width of the rectangle in which a preactivation moves its threshold"""

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        require_non_negative(penalty=self.penalty)
        require_positive(threshold_start=self.threshold_start, bandwidth=self.bandwidth)


class JumpRelu(AffineAutoencoder):
    """z = u · 1[u > θ] with u = ReLU(pre); the loss adds γ · mean over samples of ‖z‖₀.

    Both steps are flat almost everywhere. Their gradients with respect to θ are taken through a
    rectangle kernel K(x) = 1[|x| ≤ ε/2] (Rajamanoharan et al. 2024, arXiv 2407.14435):
    ∂z/∂θ = −(θ/ε) K(u − θ) and ∂‖z‖₀/∂θ = −(1/ε) Σ K(z − θ).
    """

    name = "jumprelu"
    learns = (*AffineAutoencoder.learns, "log_threshold")
    settings: JumpReluSettings

    def initial_parameters(
        self, seeds: Sequence[int], width: int, obs_dim: int
    ) -> AutoencoderParameters:
        """Return the parameters before training, on the CPU, all thresholds equal."""
        log_threshold = torch.full((len(seeds), width), math.log(self.settings.threshold_start))
        parameters = super().initial_parameters(seeds, width, obs_dim)
        return parameters._replace(log_threshold=log_threshold)

    def activate(self, parameters: AutoencoderParameters, preactivations: Tensor) -> Tensor:
        """Return the codes of preactivations; both (seed, sample, atom)."""
        rectified = torch.relu(preactivations)
        return rectified * rectified.clone().gt_(_threshold(parameters))

    def pull_back(
        self,
        parameters: AutoencoderParameters,
        preactivations: Tensor,
        codes: Tensor,
        codes_gradient: Tensor,
        gradients: dict[str, Tensor],
    ) -> Tensor:
        """Write the thresholds' gradient and pass on what belongs to positive codes."""
        threshold = _threshold(parameters)
        from_codes = (self._kernel(torch.relu(preactivations) - threshold) * codes_gradient).sum(1)
        # The published step function sees z where u might be expected: a silent code is in the
        # kernel as soon as θ ≤ ε/2.
        from_penalty = self._kernel(codes - threshold).sum(1)
        penalty = self.settings.penalty / codes.shape[1]
        threshold = threshold[:, 0]
        gradient = (threshold * from_codes + penalty * from_penalty) / -self.settings.bandwidth
        not_clamped = parameters.log_threshold <= LOG_THRESHOLD_CEILING
        torch.mul(gradient * threshold, not_clamped, out=gradients["log_threshold"])
        return codes_gradient * codes.sign()

    def regulariser(self, codes: Tensor) -> Tensor:
        """Return the mean over samples of ‖z‖₀, (seed,)."""
        return codes.sign().sum(1).sum(1) / codes.shape[1]

    def compiled_epoch(self, learner: Any, batches: Any) -> NDArray[np.float64]:
        """Train one seed on the CPU for an epoch; see `Autoencoder`."""
        from sae_surgery.learning.autoencoder.compiled import jumprelu_epoch

        return jumprelu_epoch(learner, batches, self.settings.penalty, self.settings.bandwidth)

    def _kernel(self, distance: Tensor) -> Tensor:
        """Return K of a distance that is overwritten."""
        return distance.abs_().le_(self.settings.bandwidth / 2)


def _threshold(parameters: AutoencoderParameters) -> Tensor:
    """Return θ, (seed, 1, atom)."""
    return parameters.log_threshold.clamp(max=LOG_THRESHOLD_CEILING).exp()[:, None]
