"""Codes as free parameters: z = softplus(u), learned together with the dictionary by Adam."""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from sae_surgery.learning.softplus_adam import SoftplusAdam, infer_softplus, learn_softplus
from sae_surgery.methods.base import Fitted, Lesson, Method, Model, Parameter
from sae_surgery.problems.base import Problem


class SoftplusAdamMethod(Method):
    """Joint descent on codes and dictionary (protocol, section 2).

    As published, the dictionary learns from val, while the codes of ood are optimised beside it:
    they share the learning rate but never reach the dictionary. Learned from train, it is alone.
    Codes are positive, by their parametrisation, where the problem is `signed`, too.
    """

    title = "Softplus-Adam"
    family = "sparse coding"
    gpu_from = 500
    max_latents = 100_000
    codes_learned = 12  # Of val and ood: logits, their two moments, gradient and codes
    dense = True
    Settings: ClassVar[type] = SoftplusAdam
    # The published schedule cuts the learning rate to its floor early on; this is plain Adam.
    strict: ClassVar[Mapping[str, Any]] = {
        "learns_from": "train",
        "lasso_penalty": True,
        "learning_rate": 0.05,
        "growth": 1.0,
        "cut": 1.0,
        "patience": 1000,
        "min_steps": 3000,
    }

    @property
    def learns_from(self) -> tuple[str, ...]:
        """Train alone, or val with ood beside it."""
        return ("train",) if self.settings.learns_from == "train" else ("val", "ood")

    def fit(self, lesson: Lesson) -> Fitted:
        """Learn the dictionary from one split, and the codes of all that are seen."""
        observations = lesson.observations[self.settings.learns_from]
        result = learn_softplus(
            observations,
            lesson.observations.get("ood", observations[:, :0]),
            lesson.cell.n_latents,
            lesson.seeds,
            self.settings,
            lesson.track,
            lesson.checkpoint,
            lesson.divergence,
        )
        model = Model(
            dictionary=Parameter(result.dictionary, ("obs", "atom"), "learned dictionary"),
            loss=Parameter(
                result.loss, ("record",), "loss, every 100 steps", "the seed had stopped before"
            ),
            n_steps=Parameter(result.n_steps, (), "steps of learning"),
            rate=Parameter(result.rate, (), "learning rate after the last step"),
        )
        taught = {self.settings.learns_from: result.learned_codes}
        coded = {"ood": result.other_codes} if "ood" in lesson.observations else {}
        return Fitted(model, taught | coded)

    def encode(self, model: Model, observations: Tensor, cell: Problem) -> Tensor:
        """Optimise codes with the dictionary frozen."""
        return infer_softplus(observations, model.tensor("dictionary"), self.settings)
