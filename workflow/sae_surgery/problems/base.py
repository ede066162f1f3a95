"""What a problem is: a law of data, its sizes, and what is known of it.

A problem is a frozen dataclass whose fields are its settings, each of which can be swept. The
workflow makes one at every start, so a problem's file imports what is heavy where it draws.
"""

import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SPLITS = ("train", "val", "ood")
"""Splits of a problem, in the order of its samples; `val` is what tables call `id`."""

DEFAULT = "paper"
"""The problem of sweeps that name none; it alone does not stand in the names of its cells."""
LONGEST_NAME = 80
SAFE_NAME = re.compile(r"[A-Za-z0-9_.+-]+")


@dataclass(frozen=True)
class Drawn:
    """The data of one seed; samples lie in the order train, val, ood."""

    dictionary: "NDArray[np.float64] | None" = None
    """A (obs, latent)."""
    support: "NDArray[np.int32] | None" = None
    """Indices of the active latents (sample, active); −1 fills up where fewer are active."""
    magnitude: "NDArray[np.float64] | None" = None
    """Their values (sample, active); 0 where `support` is −1."""
    observations: "NDArray[np.floating] | None" = None
    """Y (sample, obs); None: A z, mixed when it is read."""
    labels: "NDArray[np.bool_] | None" = None
    """A binary label (sample,); None: z₀ > ½, where codes are known."""
    offset: "NDArray[np.floating] | None" = None
    """What was subtracted from all observations (obs,), if anything was."""
    scale: float | None = None
    """What they were divided by afterwards, if by anything."""


class Problem(ABC):
    """A law of data. Subclass it as a frozen dataclass in a file of its own.

    A subclass has fields or properties `n_latents` (atoms asked of learners), `k` (active atoms
    that methods with a fixed number are given), `obs_dim`, and `n_samples` (in distribution).
    """

    knows: ClassVar[tuple[str, ...]] = ()
    """What is known at most: of `dictionary`, `codes` and `labels`."""
    signed: ClassVar[bool] = False
    """Whether true codes may be negative. All that solves the lasso then does so over all z rather
    than over z ≥ 0, and metrics take no sign of an atom for wrong."""
    keeps_observations: ClassVar[bool] = True
    """Whether observations are more than A z, and stand in the data file."""
    abbreviations: ClassVar[Mapping[str, str]] = {}
    """Short names of fields for `name`. Fields without a default are sizes, which all have one."""
    long_names: ClassVar[Mapping[str, str]] = {}
    """What settings are called on an axis, if not by their own names."""

    n_latents: int
    k: int
    obs_dim: int
    n_samples: int

    @property
    def n_train(self) -> int:
        """Samples of the split train: the first half of the in-distribution ones."""
        return self.n_samples // 2

    @property
    def n_val(self) -> int:
        """Samples of the split val: the rest of the in-distribution ones."""
        return self.n_samples - self.n_train

    @property
    def n_ood(self) -> int:
        """Samples of the split ood."""
        return self.n_samples // 2

    @classmethod
    def kind(cls) -> str:
        """Return the name of the problem's file, by which a configuration chooses it."""
        return cls.__module__.rpartition(".")[2]

    @property
    def name(self) -> str:
        """The problem as a path component, such as ``noisy_n100_k10_m47_s5000_snr_db20``.

        Sizes come first, then what is not at its default; a name that would be long, or holds what
        cannot stand in a path, ends with a digest of all settings instead.
        """
        sizes = [f"{self.abbreviations[key]}{getattr(self, key)}" for key in _sizes(self)]
        others = [
            f"{self.abbreviations.get(field.name, field.name)}{_short(getattr(self, field.name))}"
            for field in fields(self)
            if field.name not in _sizes(self) and getattr(self, field.name) != field.default
        ]
        head = [] if self.kind() == DEFAULT else [self.kind()]
        name = "_".join([*head, *sizes, *others])
        if len(name) > LONGEST_NAME or not SAFE_NAME.fullmatch(name):
            name = "_".join([*head, *sizes, self.digest])
        return name

    @property
    def settings(self) -> dict[str, Any]:
        """The values of all fields, as built-in types."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def settings_json(self) -> str:
        """The settings as JSON, sorted."""
        return json.dumps(self.settings, sort_keys=True)

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits of all settings."""
        return hashlib.sha256(self.settings_json.encode()).hexdigest()[:8]

    def files(self) -> tuple[Path, ...]:
        """Return the user's files that the data is read from, inputs of the workflow's rule."""
        return ()

    @abstractmethod
    def draw(self, seed: int) -> Drawn:
        """Draw the data of one seed, the same whenever it is called."""

    def fresh(self, seed: int, drawn: Drawn) -> Drawn | None:
        """Draw samples that nothing was learned from, val and ood, with the same dictionary.

        None, the default: there are none, and the strict protocol scores those that there are.
        """
        return None

    def fresh_samples(self) -> tuple[int, int]:
        """Return how many samples `fresh` draws of val and of ood; without it, what there is."""
        return self.n_val, self.n_ood

    @classmethod
    @abstractmethod
    def at(cls, place: Mapping[str, Any]) -> "Problem":
        """Make the problem at one place of a sweep, from the values of the sweep's variables.

        Raises
        ------
        ValueError
            If there is no such problem: the text names the variable, its value and what is allowed.
        """

    @classmethod
    def variables(cls) -> dict[str, Any]:
        """Return the variables that a sweep may have, with their defaults."""
        return {field.name: field.default for field in fields(cls)}


def _sizes(problem: Problem) -> list[str]:
    """Return the fields that have no default, which say how large the problem is."""
    return [field.name for field in fields(problem) if field.default is MISSING]


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
