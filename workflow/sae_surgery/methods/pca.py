"""A floor: principal components as codes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from sae_surgery.checks import require_split
from sae_surgery.methods.base import Fitted, Lesson, Method, Model, Parameter
from sae_surgery.problems.base import Problem


@dataclass(frozen=True)
class PcaSettings:
    """Settings of PCA."""

    learns_from: str = "val"
    """Split fitted on: `val`, which is also scored, as published, or `train`."""

    def __post_init__(self) -> None:
        """Check the split."""
        require_split(self.learns_from)


class Pca(Method):
    """k principal components, fitted on val (protocol, section 2)."""

    title = "PCA"
    family = "linear"
    signed = True
    precision = torch.float64
    narrow = True
    Settings: ClassVar[type] = PcaSettings
    strict: ClassVar[Mapping[str, Any]] = {"learns_from": "train"}

    @property
    def learns_from(self) -> tuple[str, ...]:
        """One split."""
        return (self.settings.learns_from,)

    def why_not(self, cell: Problem) -> str | None:
        """PCA finds no more components than there are samples or observed dimensions."""
        if cell.k > min(cell.obs_dim, cell.n_val):
            limit = min(cell.obs_dim, cell.n_val)
            return f"k {cell.k} components cannot be had from {limit} samples or dimensions"
        return super().why_not(cell)

    def fit(self, lesson: Lesson) -> Fitted:
        """Find each seed's components; the exact solver, so that nothing is drawn."""
        fits = [
            PCA(lesson.cell.k, svd_solver="full").fit(observations.cpu().numpy())
            for observations in lesson.observations[self.settings.learns_from]
        ]
        components = torch.from_numpy(np.stack([fit.components_.T for fit in fits]))
        mean = torch.from_numpy(np.stack([fit.mean_ for fit in fits]))
        return Fitted(
            Model(
                components=Parameter(
                    components.to(lesson.device), ("obs", "component"), "principal components"
                ),
                mean=Parameter(
                    mean.to(lesson.device), ("obs",), "mean of the observations learned from"
                ),
            )
        )

    def encode(self, model: Model, observations: Tensor, cell: Problem) -> Tensor:
        """Project the centred observations on the components."""
        centred = observations - model.tensor("mean")[:, None]
        # Not one batched product: in double precision its rounding depends on the batch.
        pairs = zip(centred, model.tensor("components"), strict=True)
        return torch.stack([y @ components for y, components in pairs])
