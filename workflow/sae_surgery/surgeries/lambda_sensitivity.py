"""The patient's decoder under FISTA at other sparsity weights."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from sae_surgery.checks import require_positive, require_positive_integer
from sae_surgery.inference.fista import fista, lasso_path
from sae_surgery.surgeries.base import Outcome, Patient, Surgery


@dataclass(frozen=True)
class LambdaSensitivitySettings:
    """Settings of the surgery; the defaults are the paper's."""

    lams: tuple[float, ...] = (0.001, 0.005, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
    """Values of λ."""
    n_iter: int = 100
    """Iterations at each λ."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        require_positive_integer(n_iter=self.n_iter)
        require_positive(**{f"lams[{index}]": lam for index, lam in enumerate(self.lams)})
        if not self.lams or sorted(set(self.lams)) != list(self.lams):
            raise ValueError(f"lams must be increasing numbers, at least one, got {self.lams!r}")


class LambdaSensitivity(Surgery):
    """FISTA on the patient's decoder at nine λ, `frozen` from zero and along a `path`.

    The published codes start from zero at each λ, where 100 iterations are too few at the small
    ones; on the path from the largest λ to the smallest each starts from the codes before.
    """

    title = "λ sensitivity"
    question = "Is it a λ that does not suit the decoder?"
    step = "lam"
    step_means = "weight λ of the l1 norm"
    Settings: ClassVar[type] = LambdaSensitivitySettings

    def operate(self, patient: Patient) -> Iterator[Outcome]:
        """Yield both conditions, from the largest λ to the smallest."""
        dictionary, n_iter = patient.dictionary, self.settings.n_iter
        observations = patient.centred()
        for lam in reversed(self.settings.lams):
            codes = {
                split: fista(values, dictionary, lam, n_iter)
                for split, values in observations.items()
            }
            yield Outcome("frozen", codes, step=lam)
        paths = {
            split: lasso_path(values, dictionary, self.settings.lams, n_iter)
            for split, values in observations.items()
        }
        for points in zip(*paths.values(), strict=True):
            codes = {split: codes for split, (_, codes) in zip(paths, points, strict=True)}
            yield Outcome("path", codes, step=points[0][0])
