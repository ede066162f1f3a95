"""TopK autoencoder: the k largest preactivations of a sample are kept, then ReLU."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sae_surgery.checks import require_positive_integer
from sae_surgery.learning.autoencoder.affine import AffineAutoencoder
from sae_surgery.learning.autoencoder.base import AutoencoderParameters, TrainingSettings


class TopK(AffineAutoencoder):
    """At most `k` codes of a sample are positive; there is no penalty."""

    name = "topk"

    def __init__(self, settings: TrainingSettings, k: int) -> None:
        super().__init__(settings)
        require_positive_integer(k=k)
        self.k = k

    def activate(self, parameters: AutoencoderParameters, preactivations: Tensor) -> Tensor:
        """Return the codes of preactivations; both (seed, sample, atom)."""
        values, atoms = torch.topk(preactivations, self.k, sorted=False)
        return torch.zeros_like(preactivations).scatter_(2, atoms, torch.relu(values))

    def pull_back(
        self,
        parameters: AutoencoderParameters,
        preactivations: Tensor,
        codes: Tensor,
        codes_gradient: Tensor,
        gradients: dict[str, Tensor],
    ) -> Tensor:
        """Pass on what belongs to positive codes; those are the kept ones."""
        return codes_gradient * codes.sign()

    def compiled_epoch(self, learner: Any, batches: Any) -> NDArray[np.float64]:
        """Train one seed on the CPU for an epoch; see `Autoencoder`."""
        from sae_surgery.learning.autoencoder.compiled import topk_epoch

        return topk_epoch(learner, batches, self.k)
