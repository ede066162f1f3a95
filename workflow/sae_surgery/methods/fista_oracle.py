"""The ceiling: sparse coding with the true dictionary."""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from sae_surgery.inference.solver import LassoSettings, infer
from sae_surgery.methods.base import Fitted, Lesson, Method, Model, Parameter
from sae_surgery.problems.base import Problem


class FistaOracle(Method):
    """Non-negative FISTA with D = A (protocol, section 2)."""

    title = "FISTA (oracle)"
    family = "oracle"
    knows = ("dictionary",)
    gpu_from = 1000
    Settings: ClassVar[type] = LassoSettings
    strict: ClassVar[Mapping[str, Any]] = {"solver": "exact"}

    def fit(self, lesson: Lesson) -> Fitted:
        """Take the true dictionary; there is nothing to learn."""
        dictionary = Parameter(lesson.dictionary, ("obs", "atom"), "true dictionary A")
        return Fitted(Model(dictionary=dictionary))

    def encode(self, model: Model, observations: Tensor, cell: Problem) -> Tensor:
        """Solve the lasso, from zero."""
        return infer(observations, model.tensor("dictionary"), self.settings).codes
