"""The ceiling: sparse coding with the true dictionary."""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from sae_surgery.inference.solver import LassoSettings, infer
from sae_surgery.methods.base import Fitted, Method, Model, Parameter, Problem
from sae_surgery.problems.paper import Cell


class FistaOracle(Method):
    """Non-negative FISTA with D = A (protocol, section 2)."""

    title = "FISTA (oracle)"
    family = "oracle"
    knows = ("dictionary",)
    gpu_from = 1000
    Settings: ClassVar[type] = LassoSettings
    strict: ClassVar[Mapping[str, Any]] = {"solver": "exact"}

    def fit(self, problem: Problem) -> Fitted:
        """Take the true dictionary; there is nothing to learn."""
        dictionary = Parameter(problem.dictionary, ("obs", "atom"), "true dictionary A")
        return Fitted(Model(dictionary=dictionary))

    def encode(self, model: Model, observations: Tensor, cell: Cell) -> Tensor:
        """Solve the lasso, from zero."""
        return infer(observations, model.tensor("dictionary"), self.settings).codes
