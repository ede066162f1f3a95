"""The patient's codes as the start of FISTA."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from sae_surgery.checks import require_increasing
from sae_surgery.inference.fista import fista_snapshots
from sae_surgery.inference.solver import require_penalty
from sae_surgery.surgeries.base import Outcome, Patient, Surgery


@dataclass(frozen=True)
class WarmStartEncoderSettings:
    """Settings of the surgery; the defaults are the paper's."""

    lam: float = 0.1
    """λ of FISTA."""
    counts: tuple[int, ...] = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500)
    """Numbers of iterations to look at."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        require_penalty("fista", lam=self.lam)
        require_increasing(counts=self.counts)


class WarmStartEncoder(Surgery):
    """FISTA on the patient's decoder, `warm` from its codes and `cold` from zero.

    Each is one run, looked at after several iterations; warm at 0 are the patient's codes. After
    the first iteration codes are non-negative but where the problem is `signed`.
    """

    title = "Warm-start encoder"
    question = "How many iterations is the encoder worth?"
    conditions = ("warm", "cold")
    outcomes = 20
    codes_held = 13
    step = "n_iter"
    step_means = "iterations of FISTA"
    Settings: ClassVar[type] = WarmStartEncoderSettings

    def operate(self, patient: Patient) -> Iterator[Outcome]:
        """Yield the warm outcomes, then the cold ones, each by number of iterations."""
        counts = self.settings.counts
        cold = {split: torch.zeros_like(codes) for split, codes in patient.codes.items()}
        for condition, start in (("warm", patient.codes), ("cold", cold)):
            trajectories = {
                split: fista_snapshots(
                    observations,
                    patient.dictionary,
                    self.settings.lam,
                    counts,
                    start[split],
                    patient.non_negative,
                )
                for split, observations in patient.centred().items()
            }
            for index, count in enumerate(counts):
                # No iterations from zero are no codes: there is nothing to score.
                if condition == "warm" or count > 0:
                    yield Outcome(condition, _at(trajectories, index), step=count)


def _at(trajectories: dict[str, list[Tensor]], index: int) -> dict[str, Tensor]:
    return {split: snapshots[index] for split, snapshots in trajectories.items()}
