"""The dictionary of dictionary learning, or the true one, in the place of the patient's."""

from collections.abc import Iterator

from torch import Tensor

from sae_surgery.methods.base import Lesson
from sae_surgery.surgeries.base import Outcome, Patient, Surgery


class LearnedDictionary(Surgery):
    """A better dictionary, and the patient's encoder trained anew on it.

    Conditions: `own`, the patient's codes; `learned`, with the dictionary of `dl_scaled`; `true`,
    with A. The dictionary stays as it is, and an encoder is trained on the samples, for the steps
    and by the recipe of the patient's own training, from the dictionary's transpose where it is an
    SAE's. A patient that solves for its codes does so with the other dictionary: `dl_scaled`
    itself, operated on beside, has exact codes for its own dictionary and for A.

    What `own` lacks to `learned` is the dictionary's fault, and what `true` lacks to the oracle is
    the encoder's.
    """

    title = "Learned dictionary"
    question = "Is it the dictionary that an SAE learns, or that its encoder is amortised?"
    conditions = ("own", "learned", "true")
    outcomes = 3
    codes_held = 3
    references = ("dl_scaled", "fista_oracle", "random_dictionary")
    donor = "dl_scaled"
    on_request = True
    needs_train = True

    def operate(self, patient: Patient) -> Iterator[Outcome]:
        """Yield the conditions in the order above."""
        yield Outcome("own", patient.codes)
        yield self._exchange("learned", patient, patient.donor.tensor("dictionary"))
        if patient.truth is not None:
            yield self._exchange("true", patient, patient.truth)

    def _exchange(self, condition: str, patient: Patient, dictionary: Tensor) -> Outcome:
        dictionary = dictionary.to(patient.dictionary)
        lesson = Lesson(
            cell=patient.cell,
            seeds=patient.seeds,
            device=dictionary.device,
            observations={"train": patient.train, **patient.observations},
            track=patient.track,
            checkpoint=patient.checkpoint.part(condition),
        )
        model = patient.method.with_dictionary(patient.model, dictionary, lesson)
        divergence = lesson.divergence
        codes = {
            split: patient.method.encode_sound(model, observations, patient.cell, divergence)
            for split, observations in patient.observations.items()
        }
        return Outcome(condition, codes, dictionary=dictionary, diverged=divergence.when)
