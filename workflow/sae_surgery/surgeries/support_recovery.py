"""The patient's support with values that are fitted anew."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from sae_surgery.checks import require_non_negative
from sae_surgery.inference.refit import (
    least_squares_on_support,
    nnls_on_support,
    published_least_squares,
)
from sae_surgery.surgeries.base import Outcome, Patient, Surgery


@dataclass(frozen=True)
class SupportRecoverySettings:
    """Settings of the surgery; the defaults are the paper's."""

    threshold: float = 1e-4
    """A code is in the support if its absolute value is above this."""

    def __post_init__(self) -> None:
        """Check the range."""
        require_non_negative(threshold=self.threshold)


class SupportRecovery(Surgery):
    """The patient's support kept, its values fitted to the observation.

    Conditions (protocol, section 3): `own`, the patient's codes; `lstsq`, least squares by the
    published arithmetic, negative values clamped to zero; `lstsq_exact`, the same in double
    precision, which differs where supports are larger than observations; `nnls`, least squares
    among non-negative values. Where the problem is `signed`, nothing is clamped, and there is no
    `nnls`: least squares among all values is `lstsq_exact`.
    """

    title = "Support recovery"
    question = "Are the features wrong, or only their values?"
    conditions = ("own", "lstsq", "lstsq_exact", "nnls")
    outcomes = 4
    codes_held = 4
    Settings: ClassVar[type] = SupportRecoverySettings

    def operate(self, patient: Patient) -> Iterator[Outcome]:
        """Yield the conditions in the order above."""
        dictionary, centred = patient.dictionary, patient.centred()
        supports = {
            split: codes.abs() > self.settings.threshold for split, codes in patient.codes.items()
        }
        yield Outcome("own", patient.codes)
        clamp = patient.non_negative
        refits = {
            "lstsq": partial(published_least_squares, clamp=clamp),
            "lstsq_exact": partial(least_squares_on_support, clamp=clamp),
        }
        if clamp:
            refits["nnls"] = nnls_on_support
        for condition, refit in refits.items():
            codes = {
                split: refit(values, dictionary, supports[split])
                for split, values in centred.items()
            }
            yield Outcome(condition, codes)
