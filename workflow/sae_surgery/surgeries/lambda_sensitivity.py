"""The patient's decoder under FISTA at other sparsity weights."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sae_surgery.checks import require_positive, require_positive_integer
from sae_surgery.inference.solver import (
    GAP_DIAGNOSTICS,
    Inferred,
    LassoSettings,
    gap_diagnostics,
    infer,
    infer_path,
    require_penalty,
    require_solver,
)
from sae_surgery.surgeries.base import Outcome, Patient, Surgery


@dataclass(frozen=True)
class LambdaSensitivitySettings:
    """Settings of the surgery; the defaults are the paper's."""

    lams: tuple[float, ...] = (0.001, 0.005, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
    """Values of λ."""
    n_iter: int = 100
    """Iterations of FISTA at each λ."""
    solver: str = "fista"
    """`fista`, or `exact` for codes with a certificate."""
    tolerance: float = 1e-6
    """Duality gap, relative to the objective, above which a sample counts as not solved."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        require_positive_integer(n_iter=self.n_iter)
        require_solver(self.solver, self.tolerance)
        named = {f"lams[{index}]": lam for index, lam in enumerate(self.lams)}
        require_positive(**named)
        require_penalty(self.solver, **named)
        if not self.lams or sorted(set(self.lams)) != list(self.lams):
            raise ValueError(f"lams must be increasing numbers, at least one, got {self.lams!r}")

    def at(self, lam: float) -> LassoSettings:
        """Return the settings of inference at one λ."""
        return LassoSettings(lam, self.n_iter, self.solver, self.tolerance)


class LambdaSensitivity(Surgery):
    """FISTA on the patient's decoder at nine λ, `frozen` from zero and along a `path`.

    The published codes start from zero at each λ, where 100 iterations are too few at the small
    ones; on the path from the largest λ to the smallest each starts from the codes before. Codes
    are non-negative but where the problem is `signed`.
    """

    title = "λ sensitivity"
    question = "Is it a λ that does not suit the decoder?"
    conditions = ("frozen", "path")
    outcomes = 18
    codes_held = 5
    sparse = True
    step = "lam"
    step_means = "weight λ of the l1 norm"
    diagnostics: ClassVar[Mapping[str, str]] = GAP_DIAGNOSTICS
    Settings: ClassVar[type] = LambdaSensitivitySettings
    strict: ClassVar[Mapping[str, Any]] = {"solver": "exact"}

    def operate(self, patient: Patient) -> Iterator[Outcome]:
        """Yield both conditions, from the largest λ to the smallest."""
        dictionary, observations = patient.dictionary, patient.centred()
        non_negative = patient.non_negative
        for lam in reversed(self.settings.lams):
            settings = self.settings.at(lam)
            inferred = {
                split: infer(values, dictionary, settings, non_negative=non_negative)
                for split, values in observations.items()
            }
            yield self._outcome("frozen", lam, inferred)
        paths = [
            infer_path(values, dictionary, self.settings.lams, settings, non_negative)
            for values in observations.values()
        ]
        for points in zip(*paths, strict=True):
            (lam, *_), inferred = zip(*points, strict=True)
            yield self._outcome("path", lam, dict(zip(observations, inferred, strict=True)))

    def _outcome(self, condition: str, lam: float, inferred: Mapping[str, Inferred]) -> Outcome:
        codes = {split: part.codes for split, part in inferred.items()}
        diagnostics = gap_diagnostics(inferred, self.settings.tolerance)
        return Outcome(condition, codes, step=lam, diagnostics=diagnostics)
