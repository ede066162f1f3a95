"""How far apart two numbers may lie and still agree, by the kind of metric."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sae_surgery.plan import config

RELATIVE = "relative"
"""The kind of metrics without a common scale: their limits are shares of the published number."""


@dataclass(frozen=True)
class Limits:
    """Limits of one kind of metric (see the key `comparison` of the configuration)."""

    exact: float
    """Largest difference of numbers that no randomness enters."""
    per_seed: float
    """Largest difference of numbers that agree seed by seed."""
    margin: float
    """Largest difference of means over seeds that is of no consequence."""


@dataclass(frozen=True)
class Criteria:
    """When numbers agree: limits by kind of metric, and the level `alpha` of the tests."""

    alpha: float
    limits: Mapping[str, Limits]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Criteria":
        """Make the criteria from the key `comparison`; what is not given has its default.

        Raises
        ------
        SurgeryError
            If a key or value is not allowed.
        """
        complete = config.complete("comparison", given)
        alpha = complete.pop("alpha")
        return cls(alpha, {kind: Limits(**limits) for kind, limits in complete.items()})


def kind_of(metric: str) -> str:
    """Return the kind of a metric: the key of its `Limits`."""
    if metric.startswith(("val_", "support_l0_")):
        return RELATIVE
    return metric.partition("_")[0]
