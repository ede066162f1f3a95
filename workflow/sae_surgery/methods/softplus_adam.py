"""Codes as free parameters: z = softplus(u), learned together with the dictionary by Adam."""

from typing import ClassVar

from torch import Tensor

from sae_surgery.learning.softplus_adam import SoftplusAdam, infer_softplus, learn_softplus
from sae_surgery.methods.base import Fitted, Method, Model, Parameter, Problem
from sae_surgery.problem import Cell


class SoftplusAdamMethod(Method):
    """Joint descent on codes and dictionary (protocol, section 2).

    As published, the dictionary learns from val, while the codes of ood are optimised beside it:
    they share the learning rate but never reach the dictionary.
    """

    title = "Softplus-Adam"
    family = "sparse coding"
    learns_from = ("val", "ood")
    gpu_from = 500
    max_latents = 100_000
    Settings: ClassVar[type] = SoftplusAdam

    def fit(self, problem: Problem) -> Fitted:
        """Learn the dictionary from val, and the codes of both splits."""
        result = learn_softplus(
            problem.observations["val"],
            problem.observations["ood"],
            problem.cell.n_latents,
            problem.seeds,
            self.settings,
            problem.track,
            problem.checkpoint,
        )
        model = Model(
            dictionary=Parameter(result.dictionary, ("obs", "atom"), "learned dictionary"),
            loss=Parameter(
                result.loss, ("record",), "loss, every 100 steps", "the seed had stopped before"
            ),
            n_steps=Parameter(result.n_steps, (), "steps of learning"),
            rate=Parameter(result.rate, (), "learning rate after the last step"),
        )
        return Fitted(model, {"val": result.learned_codes, "ood": result.other_codes})

    def encode(self, model: Model, observations: Tensor, cell: Cell) -> Tensor:
        """Optimise codes with the dictionary frozen."""
        return infer_softplus(observations, model.tensor("dictionary"), self.settings)
