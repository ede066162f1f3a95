"""The supervised ceiling of linear methods: ridge regression from observations to true codes."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from sklearn.linear_model import RidgeCV
from torch import Tensor

from sae_surgery.methods.base import Fitted, Lesson, Method, Model, Parameter
from sae_surgery.problems.base import Problem


@dataclass(frozen=True)
class ProbeSettings:
    """Settings of the probe."""

    alphas: tuple[float, ...] = (1e-6, 1e-4, 1e-2, 1.0, 10.0)
    """Ridge penalties to choose from."""

    def __post_init__(self) -> None:
        """Check the penalties."""
        if not self.alphas or min(self.alphas) <= 0:
            raise ValueError(f"alphas must be positive numbers, got {self.alphas}")


class LinearProbe(Method):
    """Ridge regression Y → Z, no intercept, penalty by leave-one-out (protocol, section 2)."""

    title = "Linear probe"
    family = "linear"
    learns_from = ("train",)
    knows = ("codes",)
    signed = True
    precision = torch.float64
    max_latents = 100_000
    dense = True
    Settings: ClassVar[type] = ProbeSettings

    def fit(self, lesson: Lesson) -> Fitted:
        """Fit each seed's regression; one penalty serves all latents of a seed."""
        pairs = zip(lesson.observations["train"], lesson.true_codes["train"], strict=True)
        fits = [
            RidgeCV(self.settings.alphas, fit_intercept=False).fit(y.cpu().numpy(), z.cpu().numpy())
            for y, z in pairs
        ]
        weights = torch.from_numpy(np.stack([fit.coef_.T for fit in fits]))
        alphas = torch.tensor([fit.alpha_ for fit in fits], dtype=torch.float64)
        return Fitted(
            Model(
                weights=Parameter(
                    weights.to(lesson.device), ("obs", "latent"), "regression weights"
                ),
                alpha=Parameter(
                    alphas.to(lesson.device), (), "ridge penalty chosen by leave-one-out"
                ),
            )
        )

    def encode(self, model: Model, observations: Tensor, cell: Problem) -> Tensor:
        """Apply the regression."""
        # Not one batched product: in double precision its rounding depends on the batch.
        pairs = zip(observations, model.tensor("weights"), strict=True)
        return torch.stack([y @ weights for y, weights in pairs])
