"""The chance level: sparse coding with a dictionary that knows nothing."""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from sae_surgery.inference.solver import LassoSettings, infer
from sae_surgery.learning.dictionary_learning import random_dictionary
from sae_surgery.methods.base import Fitted, Lesson, Method, Model, Parameter
from sae_surgery.problems.base import Problem


class RandomDictionary(Method):
    """The oracle's lasso with gaussian unit columns for D (protocol, section 7, item 2).

    Codes are non-negative or signed as the oracle's are.
    """

    title = "Random dictionary"
    family = "chance"
    gpu_from = 1000
    Settings: ClassVar[type] = LassoSettings
    strict: ClassVar[Mapping[str, Any]] = {"solver": "exact"}

    def fit(self, lesson: Lesson) -> Fitted:
        """Draw the dictionary."""
        cell = lesson.cell
        drawn = random_dictionary(cell.obs_dim, cell.n_latents, lesson.seeds).to(lesson.device)
        return Fitted(Model(dictionary=Parameter(drawn, ("obs", "atom"), "random dictionary")))

    def encode(self, model: Model, observations: Tensor, cell: Problem) -> Tensor:
        """Solve the lasso, from zero, with the signs that the problem allows."""
        dictionary = model.tensor("dictionary")
        return infer(observations, dictionary, self.settings, non_negative=not cell.signed).codes
