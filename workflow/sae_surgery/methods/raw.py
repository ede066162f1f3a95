"""A floor: the observation itself as its code."""

import torch
from torch import Tensor

from sae_surgery.methods.base import Fitted, Method, Model, Problem
from sae_surgery.problems.paper import Cell


class Raw(Method):
    """z = y."""

    title = "Raw observation"
    family = "linear"
    signed = True
    precision = torch.float64
    narrow = True

    def fit(self, problem: Problem) -> Fitted:
        """Learn nothing."""
        return Fitted(Model())

    def encode(self, model: Model, observations: Tensor, cell: Cell) -> Tensor:
        """Return the observations."""
        return observations
