"""What a metric is: what it needs to be seen, what it gives, and how one seed's codes are scored.

The scorer gives a metric no more than it needs. Where a problem does not know that, or a method has
no dictionary, the metric is not defined.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import numpy as np

from sae_surgery.metrics.measures.dictionary import DictionaryMetrics, dictionary_metrics
from sae_surgery.metrics.measures.pairing import Pairing, pair
from sae_surgery.metrics.measures.quantity import Quantity

WHERE = {"id": "in distribution", "ood": "out of distribution"}
"""The scored splits, in words."""

NEEDS = {
    "truth": "the true dictionary",
    "codes": "true codes",
    "labels": "labels",
    "ood": "samples out of distribution",
    "atoms": "a dictionary of the method's own",
    "bias": "the bias of the decoder",
    "other_atoms": "a second seed with the same data",
    "lam": "codes that solve a lasso",
}
"""What a metric may need beside codes and observations, in words."""

T = TypeVar("T")


@dataclass(frozen=True)
class Target:
    """What codes of one seed are compared with; by split where it is of samples."""

    observations: Mapping[str, np.ndarray]
    """Y (sample, obs)."""
    codes: Mapping[str, np.ndarray] = field(default_factory=dict)
    """True codes (sample, latent), where they are known."""
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Binary labels (sample,), where there are any."""
    truth: np.ndarray | None = None
    """True dictionary (obs, latent), where it is known."""
    signed: bool = False
    """Whether latents may be negative, `Problem.signed`: a lasso is then over codes of either sign,
    and a latent and its opposite are the same."""
    _found: dict[Callable[..., Any], Any] = field(default_factory=dict)

    def once(self, function: Callable[["Target"], T]) -> T:
        """Return what a function makes of the target, computed once for all codes."""
        if function not in self._found:
            self._found[function] = function(self)
        return self._found[function]

    @property
    def knows(self) -> tuple[str, ...]:
        """Of `NEEDS`, what the target has."""
        found = {"truth": self.truth is not None, "codes": self.codes, "labels": self.labels}
        return (*(name for name, there in found.items() if there), *self._ood())

    def _ood(self) -> tuple[str, ...]:
        return ("ood",) if "ood" in self.observations else ()


@dataclass(frozen=True)
class Seen:
    """Codes of one seed, with all that a metric may see of them."""

    target: Target
    codes: Mapping[str, np.ndarray]
    """Inferred codes (sample, atom) by split."""
    atoms: np.ndarray | None = None
    """Dictionary (obs, atom) that the codes refer to, if there is one."""
    bias: np.ndarray | None = None
    """What decoding adds to D z (obs,), zero where it adds nothing; None where that is not kept."""
    other_atoms: np.ndarray | None = None
    """The dictionary of another seed, where seeds have the same atoms to find."""
    lam: float | None = None
    """λ of the lasso that the codes are to solve, if they are."""
    compare: Callable[..., DictionaryMetrics] = dictionary_metrics
    """What compares two dictionaries; a version that remembers saves time where codes share them.
    """

    @property
    def has(self) -> tuple[str, ...]:
        """Of `NEEDS`, what there is."""
        own = {
            "atoms": self.atoms,
            "bias": self.bias,
            "other_atoms": self.other_atoms,
            "lam": self.lam,
        }
        return (*self.target.knows, *(name for name, value in own.items() if value is not None))

    @cached_property
    def pairing(self) -> Pairing:
        """Which code column stands for which latent, found in distribution."""
        return pair(self.target.codes["id"], self.codes["id"])

    @cached_property
    def signed(self) -> bool:
        """Whether any code is negative."""
        return any(bool((codes < 0).any()) for codes in self.codes.values())


class Metric(ABC):
    """A way to score codes. Subclass it in a file of its own.

    The workflow reads `protocols` without importing the file, so it must be a literal in the
    metric's own class where it is not the default.
    """

    protocols: ClassVar[tuple[str, ...]] = ("paper", "strict")
    """The protocols that it is part of."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Of `NEEDS`, what it cannot do without."""
    gives: ClassVar[Mapping[str, Quantity]]
    """What it gives, by name."""

    @abstractmethod
    def score(self, seen: Seen) -> dict[str, float]:
        """Return the numbers that it gives; one that is left out is not defined here.

        Raises
        ------
        ValueError
            If codes and what they are compared with do not fit together.
        """


def each_split(quantities: Mapping[str, Quantity]) -> dict[str, Quantity]:
    """Return each quantity for each scored split, by name, with the split's words after its own."""
    return {
        f"{name}_{split}": quantity._replace(
            title=f"{quantity.title}, {where}", long_name=f"{quantity.long_name}, {where}"
        )
        for name, quantity in quantities.items()
        for split, where in WHERE.items()
    }


def check_dictionary(dictionary: np.ndarray, codes: np.ndarray) -> None:
    """Raise ValueError unless each code column (sample, atom) has an atom (obs, atom)."""
    if dictionary.shape[1] != codes.shape[1]:
        raise ValueError(
            f"dictionary: needs an atom for each of the {codes.shape[1]} code columns, "
            f"got {dictionary.shape[1]}"
        )
