"""The ceiling: sparse coding with the true dictionary."""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from sae_surgery.inference.solver import LassoSettings, infer
from sae_surgery.methods.base import Fitted, Lesson, Method, Model, Parameter
from sae_surgery.problems.base import Problem


class FistaOracle(Method):
    """The lasso with D = A: min ½‖y − A z‖² + λ‖z‖₁ over z ≥ 0 (protocol, section 2).

    Where the problem is `signed`, it is over all z: otherwise no oracle could have its codes.
    """

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
        """Solve the lasso, from zero, with the signs that the problem allows."""
        dictionary = model.tensor("dictionary")
        return infer(observations, dictionary, self.settings, non_negative=not cell.signed).codes
