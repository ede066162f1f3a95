"""What a question is: what it is asked of, and what an answer consists of."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np
from torch import Tensor

from sae_surgery.examination import HELD_OUT, LEARN, OOD, STARTED
from sae_surgery.inference.sparse import SparseCodes
from sae_surgery.machine.progress import Tracker, silent


@dataclass(frozen=True)
class Subject:
    """A trained SAE on activations, as all questions see it.

    Everything is in the SAE's own units: after its normalisation of inputs, and with the bias of
    its decoder taken off, so that it reconstructs y as D z.
    """

    name: str
    dictionary: np.ndarray
    """The decoder D (obs, atom), float32."""
    observations: Mapping[str, np.ndarray]
    """y by split (sample, obs), float32; `ood` only where there is such a file."""
    codes: Mapping[str, SparseCodes]
    """The encoder's codes of them, each of one seed."""
    fired: np.ndarray
    """In how many of `n_counted` rows each atom is active, (atom,)."""
    n_counted: int
    seen: np.ndarray
    """Which held-out rows equal one of `learn`, (sample,)."""
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Labels of `learn` and `held_out`, (sample, label), boolean; empty if there are none."""
    label_names: tuple[str, ...] = ()
    learned: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Dictionaries learned on `learn` (obs, atom): by seed from scratch, and `started`."""
    remarks: tuple[str, ...] = ()
    """What is to be said of how they were learned."""
    beside: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Decoders (obs, atom) of other SAEs on the same rows, by name."""
    encode: Callable[[np.ndarray], SparseCodes] | None = None
    """The encoder: codes of y (sample, obs); None where the SAE itself is not at hand."""
    seed: int = 0
    signed: bool = False
    """Whether the encoder's codes may be negative."""
    track: Tracker = silent

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits that are scored."""
        return tuple(split for split in (HELD_OUT, OOD) if split in self.observations)

    @cached_property
    def mean(self) -> np.ndarray:
        """Mean of the rows to learn from, (obs,): what is explained is counted from it."""
        return self.observations[LEARN].mean(axis=0)

    @property
    def scratch(self) -> tuple[np.ndarray, ...]:
        """The dictionaries that were learned from scratch (obs, atom), in the order of seeds."""
        return tuple(each for name, each in self.learned.items() if name != STARTED)

    @property
    def l0(self) -> float:
        """Mean number of active atoms of the held-out samples."""
        return float(self.codes[HELD_OUT].counts.double().mean())


@dataclass(frozen=True)
class Row:
    """One number of an answer."""

    condition: str
    """What was scored."""
    quantity: str
    value: float
    low: float = math.nan
    """Ends of its interval; NaN where there is none."""
    high: float = math.nan
    split: str = HELD_OUT
    at: float = math.nan
    """Where it stands on a curve, such as the L0 that was asked for; NaN for a single number."""


@dataclass(frozen=True)
class Answer:
    """All numbers, and what is to be said beside them."""

    rows: Sequence[Row]
    notes: Sequence[str] = ()


class Question(ABC):
    """One question. Its literals are read without importing it."""

    place: ClassVar[int]
    """Where it stands on the page."""
    title: ClassVar[str]
    asks: ClassVar[str]
    """The question, and in a sentence or two how it is answered."""
    needs: ClassVar[tuple[str, ...]] = ()
    """What it takes beyond rows and codes: of `labels`, `learned`, `beside` and `encode`."""
    conditions: ClassVar[Mapping[str, str]] = {}
    """Display names of conditions."""
    quantities: ClassVar[Mapping[str, str]] = {}
    """Display names of quantities."""
    splits: ClassVar[Mapping[str, str]] = {
        LEARN: "rows to learn from",
        HELD_OUT: "held out",
        OOD: "out of distribution",
    }
    """Display names of splits."""
    along: ClassVar[str] = "at"
    """What `at` counts."""
    places: ClassVar[Mapping[float, str]] = {}
    """Display names of values of `at`; the others are shown as numbers of `along`."""

    @abstractmethod
    def answer(self, subject: Subject) -> Answer:
        """Compute the answer."""


def seeded(subject: Subject, *stream: int) -> np.random.Generator:
    """Return a stream of random numbers of the subject's seed, its own for each purpose."""
    return np.random.default_rng([subject.seed, *stream])


def tensor(values: np.ndarray) -> Tensor:
    """Return an array as the solvers take it, with a first axis for one seed."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(values))[None]
