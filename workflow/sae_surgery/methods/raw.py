"""A floor: the observation itself as its code."""

import torch
from torch import Tensor

from sae_surgery.methods.base import Fitted, Lesson, Method, Model
from sae_surgery.problems.base import Problem


class Raw(Method):
    """z = y."""

    title = "Raw observation"
    family = "linear"
    signed = True
    precision = torch.float64
    narrow = True

    def fit(self, lesson: Lesson) -> Fitted:
        """Learn nothing."""
        return Fitted(Model())

    def encode(self, model: Model, observations: Tensor, cell: Problem) -> Tensor:
        """Return the observations."""
        return observations
