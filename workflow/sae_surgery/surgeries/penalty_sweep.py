"""The patient trained anew with other penalties, or numbers of active codes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from sae_surgery.checks import require_positive
from sae_surgery.methods._autoencoder import AutoencoderMethod
from sae_surgery.methods.base import Lesson
from sae_surgery.problems.base import Problem
from sae_surgery.surgeries.base import Outcome, Patient, Surgery


@dataclass(frozen=True)
class PenaltySweepSettings:
    """Settings of the surgery; there is none like it in the paper."""

    penalty_factors: tuple[float, ...] = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
    """What a penalty is multiplied by, of SAEs that have one."""
    k_factors: tuple[float, ...] = (0.5, 1.0, 2.0)
    """What the number of active codes is multiplied by, of SAEs that are told it."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("penalty_factors", "k_factors"):
            factors = getattr(self, name)
            require_positive(**{f"{name}[{index}]": each for index, each in enumerate(factors)})
            if not factors or sorted(set(factors)) != list(factors):
                raise ValueError(f"{name} must be increasing, at least one, got {factors!r}")


class PenaltySweep(Surgery):
    """The patient `trained` from the same start on the same batches, its sparsity set otherwise.

    Varied is the penalty, or k where the patient is told it, in the range that the cell allows. At
    the factor 1 it is the patient itself. What is not an SAE is not trained: its codes are told
    once, at the smallest factor.
    """

    title = "Penalty sweep"
    question = "Is it a penalty that does not suit the SAE?"
    conditions = ("trained",)
    outcomes = 6
    codes_held = 3
    step = "factor"
    step_means = "factor of the published penalty, or of the number of active codes"
    Settings: ClassVar[type] = PenaltySweepSettings
    on_request = True
    needs_train = True

    def operate(self, patient: Patient) -> Iterator[Outcome]:
        """Yield the outcomes from the smallest factor to the largest."""
        if not isinstance(patient.method, AutoencoderMethod):
            smallest = min(*self.settings.penalty_factors, *self.settings.k_factors)
            yield Outcome("trained", patient.codes, step=smallest)
            return
        for factor, method, cell in patient.track(self._varied(patient), "penalties"):
            yield _trained(patient, factor, method, cell)

    def _varied(self, patient: Patient) -> list[tuple[float, AutoencoderMethod, Problem]]:
        """Return, by factor, the method to train, and the cell whose k it is to be told."""
        method, cell = patient.method, patient.cell
        if hasattr(method.settings, "penalty"):
            varied = []
            for factor in self.settings.penalty_factors:
                settings = replace(method.settings, penalty=factor * method.settings.penalty)
                varied.append((factor, type(method)(settings), cell))
            return varied
        numbers = {factor: max(1, round(factor * cell.k)) for factor in self.settings.k_factors}
        most = cell.n_latents - cell.n_ood_pool
        return [(factor, method, replace(cell, k=k)) for factor, k in numbers.items() if k <= most]


def _trained(patient: Patient, factor: float, method: AutoencoderMethod, cell: Problem) -> Outcome:
    if factor == 1:
        return Outcome("trained", patient.codes, factor)
    lesson = Lesson(cell, patient.seeds, patient.train.device, {"train": patient.train})
    model, divergence = method.fit(lesson).model, lesson.divergence
    codes = {
        split: method.encode_sound(model, observations, cell, divergence)
        for split, observations in patient.observations.items()
    }
    dictionary = model.tensor("dictionary")
    return Outcome("trained", codes, factor, dictionary, diverged=divergence.when)
