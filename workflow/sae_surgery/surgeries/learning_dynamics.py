"""The patient as it was at several times of its training."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from torch import Tensor

from sae_surgery.methods.base import Model
from sae_surgery.surgeries.base import Outcome, Patient, Surgery

ACTIVE = 0.01
"""A code counts as active above this absolute value, as in the published dynamics."""


class LearningDynamics(Surgery):
    """Dictionary and codes through training, from the records that the method made meanwhile.

    Nothing is trained again. There is one condition, `training`; a step is the epoch, or the round
    of dictionary learning, after which the record was made.
    """

    title = "Learning dynamics"
    question = "When does learning go wrong?"
    conditions = ("training",)
    outcomes = 51
    codes_held = 3
    step = "epoch"
    step_means = "epoch of training, or round of dictionary learning, from 0"
    references = ("dl_fista",)
    diagnostics: ClassVar[Mapping[str, str]] = {
        "val_mse": "squared error of the reconstruction on val, mean over observed dimensions",
        "val_l0": "number of active codes on val",
    }

    def why_not(self, model: Model) -> str | None:
        """Only methods that record their training can be watched."""
        reason = "the method keeps no record of its training"
        return super().why_not(model) or (None if "recorded_at" in model else reason)

    def operate(self, patient: Patient) -> Iterator[Outcome]:
        """Yield the records in order; those after all seeds had converged are told once."""
        recorded_at = patient.model.tensor("recorded_at")
        times = recorded_at.amax(0).tolist()
        distinct = [index for index, time in enumerate(times) if time not in times[:index]]
        for index in patient.track(distinct, f"records of {patient.method.title}"):
            model = patient.model.at_record(index)
            codes = {
                split: patient.method.encode(model, observations, patient.cell)
                for split, observations in patient.observations.items()
            }
            reconstruction = patient.method.decode(model, codes["val"])
            yield Outcome(
                "training",
                codes,
                step=times[index],
                dictionary=model.tensor("dictionary"),
                diagnostics={
                    "val_mse": _mean_square(reconstruction - patient.observations["val"]),
                    "val_l0": (codes["val"].abs() > ACTIVE).sum(2).float().mean(1),
                },
            )


def _mean_square(values: Tensor) -> Tensor:
    """Return (seed,) of values (seed, …)."""
    return values.square().flatten(1).mean(1)
