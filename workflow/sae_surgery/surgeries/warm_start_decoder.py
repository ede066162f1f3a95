"""The patient's decoder as the start of dictionary learning."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

from torch import Tensor

from sae_surgery.checks import require_increasing
from sae_surgery.inference.fista import fista
from sae_surgery.inference.solver import infer
from sae_surgery.learning.dictionary_learning import (
    ROUNDS_OF_CODING,
    DictionaryLearning,
    LearnedDictionary,
    learning_trajectory,
    random_dictionary,
)
from sae_surgery.machine.divergence import Divergence
from sae_surgery.surgeries.base import Outcome, Patient, Surgery


@dataclass(frozen=True)
class WarmStartDecoderSettings(DictionaryLearning):
    """Settings of the surgery; the defaults are the paper's."""

    counts: tuple[int, ...] = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
    """Numbers of rounds to look at, in the place of `max_rounds`."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        require_increasing(counts=self.counts)


class WarmStartDecoder(Surgery):
    """Dictionary learning, `warm` from the patient's decoder and `cold` from a random one.

    Each is one run, looked at after several rounds; warm at 0 is the frozen decoder. As published,
    it learns on val, and codes lag the dictionary by one round, so that warm at 1 has the codes of
    warm at 0. Learned on train, it is the last dictionary that codes val and ood. A cold run
    differs between patients by the bias that is taken off the observations; without one it is
    `dl_fista` over again, and left out. Codes are non-negative but where the problem is `signed`.
    """

    title = "Warm-start decoder"
    question = "Is the decoder a good start for dictionary learning?"
    conditions = ("warm", "cold")
    outcomes = 21
    codes_held = 10
    sparse = True
    atom_pairs = 3
    step = "n_rounds"
    step_means = "rounds of dictionary learning"
    Settings: ClassVar[type] = WarmStartDecoderSettings
    strict: ClassVar[Mapping[str, Any]] = {
        "learns_from": "train",
        "solver": "exact",
        "revive": True,
    }

    @property
    def needs_train(self) -> bool:
        """As the settings say."""
        return self.settings.learns_from == "train"

    def operate(self, patient: Patient) -> Iterator[Outcome]:
        """Yield the warm outcomes, then the cold ones, each by number of rounds."""
        counts = self.settings.counts
        drawn = random_dictionary(patient.cell.obs_dim, patient.dictionary.shape[2], patient.seeds)
        yield from self._learn(patient, "warm", patient.dictionary, counts)
        if "decoder_bias" in patient.model:
            # After no rounds, a random dictionary is the chance level and no start to be judged.
            counts = tuple(count for count in counts if count > 0)
            yield from self._learn(patient, "cold", drawn.to(patient.dictionary), counts)

    def _learn(
        self, patient: Patient, condition: str, initial: Tensor, counts: tuple[int, ...]
    ) -> Iterator[Outcome]:
        observations = patient.centred()
        published, divergence = not self.needs_train, Divergence()
        trajectory = learning_trajectory(
            observations["val"] if published else patient.centre(patient.train),
            initial,
            self.settings,
            counts,
            patient.track,
            patient.checkpoint.part(condition),
            divergence,
            patient.non_negative,
        )
        code = partial(self._published_codes if published else self._codes, patient.non_negative)
        for count, learned in trajectory:
            codes, diverged = code(observations, learned, count), dict(divergence.when)
            yield Outcome(condition, codes, count, learned.dictionary, diverged=diverged)

    def _published_codes(
        self,
        non_negative: bool,
        observations: Mapping[str, Tensor],
        learned: LearnedDictionary,
        count: int,
    ) -> dict[str, Tensor]:
        """Return the codes learned, and OOD codes as if carried along from round to round."""
        rounds = min(max(count, 1), ROUNDS_OF_CODING)
        n_iter = rounds * self.settings.n_iter
        others = {
            split: fista(
                values,
                learned.coding_dictionary,
                self.settings.lam,
                n_iter,
                non_negative=non_negative,
            )
            for split, values in observations.items()
            if split != "val"
        }
        return {"val": learned.codes, **others}

    def _codes(
        self,
        non_negative: bool,
        observations: Mapping[str, Tensor],
        learned: LearnedDictionary,
        count: int,
    ) -> dict[str, Tensor]:
        """Return codes of samples that nothing was learned from, by the last dictionary."""
        n_iter = ROUNDS_OF_CODING * self.settings.n_iter
        coding = replace(self.settings.coding(), n_iter=n_iter)
        return {
            split: infer(values, learned.dictionary, coding, non_negative=non_negative).codes
            for split, values in observations.items()
        }
