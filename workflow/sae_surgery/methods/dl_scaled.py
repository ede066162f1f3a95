"""Dictionary learning that scales: batches, sparse codes, a falling penalty, fresh atoms."""

from typing import ClassVar

from torch import Tensor

from sae_surgery.inference.exact import exact_lasso
from sae_surgery.inference.solver import certified
from sae_surgery.learning.dictionary_learning import random_dictionary
from sae_surgery.learning.incremental import (
    IncrementalLearning,
    learn_incrementally,
    report_misses,
)
from sae_surgery.methods._recording import Records, recorded_times
from sae_surgery.methods.base import Fitted, Lesson, Method, Model, Parameter
from sae_surgery.problems.base import Problem


class DlScaled(Method):
    """Incremental dictionary learning on train, and exact codes.

    It is no method of the paper's. What it knows are observations and the number of atoms; see
    `sae_surgery.learning.incremental` for what it does. With the setting `l0` it holds that mean
    number of codes, see `sae_surgery.learning.aimed`, and counts as useless those atoms only that
    hardly any sample shares.
    """

    title = "DL (scaled)"
    family = "sparse coding"
    learns_from = ("train",)
    gpu_from = 10_000
    max_latents = 20_000
    atom_pairs = 1
    dictionaries_recorded = 21
    Settings: ClassVar[type] = IncrementalLearning

    def fit(self, lesson: Lesson) -> Fitted:
        """Learn the dictionary on train, and record how it changes."""
        cell, seeds, observations = lesson.cell, lesson.seeds, lesson.observations["train"]
        initial = random_dictionary(cell.obs_dim, cell.n_latents, seeds).to(observations)
        times = recorded_times(cell, self.settings.max_rounds, self.settings.record_every)
        budgets = [time + 1 for time in times]
        records = Records(len(times))
        for budget, result in learn_incrementally(
            observations,
            initial,
            seeds,
            self.settings,
            budgets,
            lesson.track,
            lesson.checkpoint.keeping(records),
            lesson.divergence,
        ):
            learned = {"dictionary": result.dictionary, "penalty": result.penalty}
            records.write(budgets.index(budget), result.n_rounds - 1, learned)
        report_misses(result, seeds)
        model = Model(
            dictionary=Parameter(result.dictionary, ("obs", "atom"), "learned dictionary"),
            penalty=Parameter(result.penalty, (), "weight of the l1 norm of codes"),
            n_rounds=Parameter(result.n_rounds, (), "rounds of learning"),
            converged=Parameter(
                result.converged.long(), (), "whether the dictionary had come to rest: 1 or 0"
            ),
            determined=Parameter(
                result.determined.long(),
                (),
                "whether the samples have more numbers than codes and dictionary: 1 or 0",
            ),
            change=Parameter(
                result.change,
                ("round",),
                "relative change of the dictionary",
                nan_means="the seed had converged before this round",
            ),
            n_useless=Parameter(
                result.n_useless, (), "atoms that are hardly any sample's, or made of others"
            ),
            usage=Parameter(result.usage, ("atom",), "share of the samples that use an atom"),
        )
        records.add_to(model)
        return Fitted(model)

    def encode(self, model: Model, observations: Tensor, cell: Problem) -> Tensor:
        """Solve the lasso to a certified gap, with the penalty that learning ended with."""
        dictionary, penalty = model.tensor("dictionary"), model.tensor("penalty")
        weights = penalty[:, None].expand(-1, dictionary.shape[2])
        solution = exact_lasso(observations, dictionary, weights)
        return certified(solution, "the lambda learned with", observations.dtype).codes
