"""The chance level: sparse coding with a dictionary that knows nothing."""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from sae_surgery.inference.solver import LassoSettings, infer
from sae_surgery.learning.dictionary_learning import random_dictionary
from sae_surgery.methods.base import Fitted, Method, Model, Parameter, Problem
from sae_surgery.problems.paper import Cell


class RandomDictionary(Method):
    """The oracle's FISTA with gaussian unit columns for D (protocol, section 7, item 2)."""

    title = "Random dictionary"
    family = "chance"
    gpu_from = 1000
    Settings: ClassVar[type] = LassoSettings
    strict: ClassVar[Mapping[str, Any]] = {"solver": "exact"}

    def fit(self, problem: Problem) -> Fitted:
        """Draw the dictionary."""
        cell = problem.cell
        drawn = random_dictionary(cell.obs_dim, cell.n_latents, problem.seeds).to(problem.device)
        return Fitted(Model(dictionary=Parameter(drawn, ("obs", "atom"), "random dictionary")))

    def encode(self, model: Model, observations: Tensor, cell: Cell) -> Tensor:
        """Solve the lasso, from zero."""
        return infer(observations, model.tensor("dictionary"), self.settings).codes
