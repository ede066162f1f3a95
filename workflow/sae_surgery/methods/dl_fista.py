"""Dictionary learning: FISTA for the codes and least squares for the dictionary, in turn."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from torch import Tensor

from sae_surgery.inference.solver import infer
from sae_surgery.learning.dictionary_learning import (
    ROUNDS_OF_CODING,
    DictionaryLearning,
    learning_trajectory,
    random_dictionary,
)
from sae_surgery.methods._recording import Records, recorded_times
from sae_surgery.methods.base import Fitted, Lesson, Method, Model, Parameter
from sae_surgery.problems.base import Problem


class DlFista(Method):
    """Alternating minimisation on val, from a random dictionary (protocol, section 2).

    As published, codes are those inferred before the last update of the dictionary; the dictionary
    that made them is kept as `coding_dictionary` and codes all other observations. Learned on
    train, whose codes are not scored, it is the last dictionary that does. Codes are non-negative
    but where the problem is `signed`.
    """

    title = "DL-FISTA"
    family = "sparse coding"
    gpu_from = 500
    max_latents = 50_000
    atom_pairs = 3
    codes_learned = 6
    dictionaries_recorded = 202  # After 101 rounds, that which made the codes and the next
    Settings: ClassVar[type] = DictionaryLearning
    strict: ClassVar[Mapping[str, Any]] = {
        "learns_from": "train",
        "solver": "exact",
        "revive": True,
    }

    @property
    def learns_from(self) -> tuple[str, ...]:
        """One split."""
        return (self.settings.learns_from,)

    def fit(self, lesson: Lesson) -> Fitted:
        """Learn the dictionary on a split, whose codes come with it, and record how it changes."""
        cell, observations = lesson.cell, lesson.observations[self.settings.learns_from]
        initial = random_dictionary(cell.obs_dim, cell.n_latents, lesson.seeds).to(observations)
        times = recorded_times(cell, self.settings.max_rounds, self.settings.record_every)
        budgets = [time + 1 for time in times]
        records = Records(len(times))
        checkpoint = lesson.checkpoint.keeping(records)
        for budget, result in learning_trajectory(
            observations,
            initial,
            self.settings,
            budgets,
            lesson.track,
            checkpoint,
            lesson.divergence,
            non_negative=not cell.signed,
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
        return Fitted(model, {self.settings.learns_from: result.codes})

    def with_dictionary(self, model: Model, dictionary: Tensor, lesson: Lesson) -> Model:
        """Exchange the dictionary that makes codes, too."""
        exchanged = super().with_dictionary(model, dictionary, lesson)
        return Model(exchanged, coding_dictionary=exchanged["dictionary"])

    def encode(self, model: Model, observations: Tensor, cell: Problem) -> Tensor:
        """Infer codes from zero, with the dictionary that made the learned codes or the last one.

        The published OOD codes were carried along through all rounds; a few rounds' iterations at
        the end bring them equally close to the optimum.
        """
        published = self.settings.learns_from == "val"
        dictionary = model.tensor("coding_dictionary" if published else "dictionary")
        n_iter = ROUNDS_OF_CODING * self.settings.n_iter
        coding = replace(self.settings.coding(), n_iter=n_iter)
        return infer(observations, dictionary, coding, non_negative=not cell.signed).codes
