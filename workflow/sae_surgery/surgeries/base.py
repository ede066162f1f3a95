"""What a surgery is: a fitted method with a dictionary, its *patient*, taken apart.

A surgery exchanges one part of the patient for a classical one and infers codes again, under named
conditions and, where it has one, along a sweep of its own. What comes out is scored by the same
metrics as any method.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor

from sae_surgery.machine.checkpoints import NONE, Checkpoint
from sae_surgery.machine.progress import Tracker, silent
from sae_surgery.methods.base import Method, Model
from sae_surgery.parts import NoSettings
from sae_surgery.problems.base import Problem


@dataclass(frozen=True)
class Patient:
    """A fitted method on one cell, all seeds stacked but those that have diverged."""

    cell: Problem
    seeds: tuple[int, ...]
    method: Method
    model: Model
    observations: Mapping[str, Tensor]
    """Y (seed, sample, obs) of the scored splits."""
    codes: Mapping[str, Tensor]
    """The method's own codes (seed, sample, atom) of the same splits."""
    truth: Tensor | None
    """The true dictionary A (seed, obs, latent), for the conditions that borrow from it; None where
    the problem does not know it, and then there are no such conditions."""
    train: Tensor | None = None
    """Y (seed, sample, obs) of train, for a surgery that `needs_train`."""
    donor: Model | None = None
    """The fitted model of the method named by the surgery's `donor`."""
    track: Tracker = silent
    checkpoint: Checkpoint = NONE
    """Where a long training is saved on its way."""

    @property
    def non_negative(self) -> bool:
        """Whether codes that a surgery infers are kept at or above zero: the problem decides."""
        return not self.cell.signed

    @property
    def dictionary(self) -> Tensor:
        """D (seed, obs, atom)."""
        return self.model.tensor("dictionary")

    def centred(self) -> dict[str, Tensor]:
        """Return y − b_d by split; classical methods know no bias, so it is taken off before."""
        return {split: self.centre(values) for split, values in self.observations.items()}

    def centre(self, observations: Tensor) -> Tensor:
        """Take b_d, if there is one, off observations (seed, sample, obs)."""
        if "decoder_bias" not in self.model:
            return observations
        return observations - self.model.tensor("decoder_bias")[:, None]


@dataclass(frozen=True)
class Outcome:
    """Codes under one condition, at one step of the surgery's sweep if it has one."""

    condition: str
    codes: Mapping[str, Tensor]
    """Z (seed, sample, atom) by split."""
    step: float | None = None
    dictionary: Tensor | None = None
    """D (seed, obs, atom) that the codes refer to, if it is not the patient's."""
    diagnostics: Mapping[str, Tensor] = field(default_factory=dict)
    """Further numbers (seed,), by a name in the surgery's `diagnostics`, as far as they exist."""
    diverged: Mapping[int, str] = field(default_factory=dict)
    """By index of the seed, when what the surgery trained diverged; the seed has no codes then."""


class Surgery(ABC):
    """A way to take a patient apart. Subclass it in a file of its own.

    The workflow reads `references`, `donor`, `strict`, `on_request` and what decides the
    memory asked for without importing the file, and tests of figures `conditions` and `step`, so
    they must be literals in the surgery's own class where they differ from the defaults.
    """

    title: ClassVar[str]
    question: ClassVar[str]
    """What the surgery answers."""
    conditions: ClassVar[tuple[str, ...]] = ()
    """Names of its conditions, in the order in which they are told; those that a patient or problem
    cannot have are left out."""
    step: ClassVar[str | None] = None
    """Name of the surgery's own sweep variable."""
    step_means: ClassVar[str] = ""
    """Long name of the sweep variable."""
    references: ClassVar[tuple[str, ...] | None] = None
    """Methods operated on beside the patients; None: the oracle and the random dictionary."""
    donor: ClassVar[str | None] = None
    """Another method whose model a part is taken from."""
    on_request: ClassVar[bool] = False
    """Whether it is done only where a configuration names it."""
    outcomes: ClassVar[int | None] = None
    """How many outcomes there are at most, for the memory asked for; None: as many as any has."""
    codes_held: ClassVar[int | None] = None
    """Codes of all scored samples held at once, beside the patient's, likewise."""
    sparse: ClassVar[bool] = False
    """Whether outcomes have few active codes whatever the patient has, likewise."""
    atom_pairs: ClassVar[int] = 0
    """Matrices over all pairs of atoms held at once for each seed, likewise."""
    diagnostics: ClassVar[Mapping[str, str]] = {}
    """Long names of further numbers in the outcomes."""
    Settings: ClassVar[type] = NoSettings
    """Frozen dataclass of the settings; its defaults are the paper's."""
    strict: ClassVar[Mapping[str, Any]] = {}
    """Settings that differ under the strict protocol."""
    needs_train: bool = False
    """Whether it learns from train."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    def why_not(self, model: Model) -> str | None:
        """Return why the surgery cannot be done on a model, or None if it can."""
        return None if "dictionary" in model else "the method has no dictionary"

    @abstractmethod
    def operate(self, patient: Patient) -> Iterator[Outcome]:
        """Yield the outcomes one by one; each is written down before the next is asked for.

        A surgery that goes on from the patient's checkpoint yields only those that come after: the
        checkpoint keeps the others.
        """
