"""Dictionary learning: FISTA for the codes and least squares for the dictionary, in turn."""

from typing import ClassVar

from torch import Tensor

from sae_surgery.inference.fista import fista
from sae_surgery.learning.dictionary_learning import (
    ROUNDS_OF_CODING,
    DictionaryLearning,
    learning_trajectory,
    random_dictionary,
)
from sae_surgery.methods._recording import Records, recorded_times
from sae_surgery.methods.base import Fitted, Method, Model, Parameter, Problem
from sae_surgery.problem import Cell


class DlFista(Method):
    """Alternating minimisation on val, from a random dictionary (protocol, section 2).

    As published, codes are those inferred before the last update of the dictionary; the dictionary
    that made them is kept as `coding_dictionary` and codes all other observations.
    """

    title = "DL-FISTA"
    family = "sparse coding"
    learns_from = ("val",)
    gpu_from = 500
    max_latents = 50_000
    atom_pairs = 3
    Settings: ClassVar[type] = DictionaryLearning

    def fit(self, problem: Problem) -> Fitted:
        """Learn the dictionary on val, whose codes come with it, and record how it changes."""
        cell, observations = problem.cell, problem.observations["val"]
        initial = random_dictionary(cell.obs_dim, cell.n_latents, problem.seeds).to(observations)
        times = recorded_times(cell, self.settings.max_rounds, self.settings.record_every)
        budgets = [time + 1 for time in times]
        records = Records(len(times))
        checkpoint = problem.checkpoint.keeping(records)
        for budget, result in learning_trajectory(
            observations, initial, self.settings, budgets, problem.track, checkpoint
        ):
            learned = {
                "dictionary": result.dictionary,
                "coding_dictionary": result.coding_dictionary,
            }
            records.write(budgets.index(budget), result.n_rounds - 1, learned)
        atoms = ("obs", "atom")
        model = Model(
            dictionary=Parameter(result.dictionary, atoms, "learned dictionary"),
            coding_dictionary=Parameter(
                result.coding_dictionary, atoms, "dictionary one round before, which made the codes"
            ),
            n_rounds=Parameter(result.n_rounds, (), "rounds of learning"),
            change=Parameter(
                result.change,
                ("round",),
                "relative change of the dictionary",
                nan_means="the seed had converged before this round",
            ),
        )
        records.add_to(model)
        return Fitted(model, {"val": result.codes})

    def with_dictionary(self, model: Model, dictionary: Tensor, problem: Problem) -> Model:
        """Exchange the dictionary that makes codes, too."""
        exchanged = super().with_dictionary(model, dictionary, problem)
        return Model(exchanged, coding_dictionary=exchanged["dictionary"])

    def encode(self, model: Model, observations: Tensor, cell: Cell) -> Tensor:
        """Run FISTA from zero with the dictionary that made the learned codes.

        The published OOD codes were carried along through all rounds; a few rounds' iterations at
        the end bring them equally close to the optimum.
        """
        dictionary = model.tensor("coding_dictionary")
        return fista(
            observations, dictionary, self.settings.lam, ROUNDS_OF_CODING * self.settings.n_iter
        )
