"""What a method is: what it may see, what it makes, and how it says why it cannot.

`fit` gets a `Lesson` that holds exactly what the method declares in `learns_from` and `knows`, so
that a method cannot look at what it should not know.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from sae_surgery.machine.checkpoints import NONE, Checkpoint
from sae_surgery.machine.divergence import Divergence
from sae_surgery.machine.progress import Tracker, silent
from sae_surgery.parts import NoSettings
from sae_surgery.problems.base import Problem

Family = Literal["oracle", "sparse coding", "sae", "linear", "chance"]

RECORDED = "recorded_"
"""Parameter `recorded_<name>` holds the values of `<name>` at several times of learning."""


@dataclass(frozen=True)
class Parameter:
    """One array of a fitted model, stacked over seeds."""

    values: Tensor
    """(seed, *dims)"""
    dims: tuple[str, ...]
    """Names of the dimensions after `seed`."""
    long_name: str
    nan_means: str | None = None
    """What NaN stands for; None forbids NaN."""


class Model(dict[str, Parameter]):
    """A fitted model: its parameters by name. `dictionary`, (seed, obs, atom), is read by all."""

    digest: str = ""
    """Digest of the file that the model was read from, if it was."""
    status: str = "ok"
    """That of the file, see `store.Origin`."""
    diverged: Mapping[int, str] = MappingProxyType({})
    """By index of the seed, when its training diverged: its parameters are NaN, or, if it is all
    seeds, there are none."""

    def tensor(self, name: str) -> Tensor:
        """Return a parameter's values, (seed, …)."""
        return self[name].values

    def must_be_finite(self) -> list[Tensor]:
        """Return the values (seed, …) of all parameters that NaN stands for nothing in."""
        return [each.values for each in self.values() if each.nan_means is None]

    def of_seeds(self, seeds: Sequence[int]) -> "Model":
        """Return the model of some of its seeds, by index, ascending, none of which diverged."""
        part = Model(
            {
                name: replace(parameter, values=take(parameter.values, seeds))
                for name, parameter in self.items()
            }
        )
        part.digest, part.status = self.digest, self.status
        return part

    def among(self, seeds: Sequence[int], n_seeds: int, diverged: Mapping[int, str]) -> "Model":
        """Return the model, which is of some seeds, as one of all: the others diverged."""
        if len(seeds) == n_seeds:
            return self
        whole = Model()
        for name, parameter in self.items() if seeds else ():
            floating = parameter.values.is_floating_point()
            values = parameter.values if floating else parameter.values.double()
            missing = "; ".join(filter(None, (parameter.nan_means, "training diverged")))
            values = spread(values, seeds, n_seeds, torch.nan)
            whole[name] = replace(parameter, values=values, nan_means=missing)
        whole.diverged = diverged
        return whole

    def at_record(self, index: int) -> "Model":
        """Return the model as it was when a record was made; what has no record is as at the end.

        `recorded_at` (seed, record) says when that was: the epoch or round, counted from 0, after
        which the parameters had the values recorded.

        Raises
        ------
        IndexError
            If there is no such record.
        """
        n_records = self["recorded_at"].values.shape[1] if "recorded_at" in self else 0
        if not 0 <= index < n_records:
            raise IndexError(f"record must be from 0 to below {n_records}, got {index}")
        model = Model({name: self[name] for name in self if not name.startswith(RECORDED)})
        for name in [name for name in model if RECORDED + name in self]:
            values = self.tensor(RECORDED + name)[:, index].contiguous()
            model[name] = replace(model[name], values=values)
        return model


def take(values: Tensor, seeds: Sequence[int]) -> Tensor:
    """Return the values (seed, …) of some seeds, by index, ascending; all of them uncopied."""
    return values if len(seeds) == len(values) else values[list(seeds)]


def spread(values: Tensor, seeds: Sequence[int], n_seeds: int, filling: float) -> Tensor:
    """Undo `take`: return the values of all seeds, a number in the place of the others'."""
    if len(seeds) == n_seeds:
        return values
    whole = values.new_full((n_seeds, *values.shape[1:]), filling)
    whole[list(seeds)] = values
    return whole


@dataclass(frozen=True)
class Fitted:
    """What `fit` returns."""

    model: Model
    codes: Mapping[str, Tensor] = field(default_factory=dict)
    """Codes by split that fitting has inferred already; `encode` makes the others."""


@dataclass(frozen=True)
class Lesson:
    """What a method may see of one cell, all seeds stacked."""

    cell: Problem
    seeds: tuple[int, ...]
    device: torch.device
    """Where the tensors are, and where the model must be."""
    observations: Mapping[str, Tensor]
    """Y (seed, sample, obs) of the splits that the method learns from."""
    dictionary: Tensor | None = None
    """A (seed, obs, latent), for methods that know the `dictionary`."""
    true_codes: Mapping[str, Tensor] = field(default_factory=dict)
    """Z (seed, sample, latent) of the same splits, for methods that know the `codes`."""
    offset: Tensor | None = None
    """What the problem subtracted from all observations (seed, obs), if anything."""
    scale: Tensor | None = None
    """What it divided them by afterwards (seed,), if by anything."""
    parent: Model | None = None
    """The fitted model of the method named by `parent`."""
    track: Tracker = silent
    checkpoint: Checkpoint = NONE
    """Where a long training is saved on its way."""
    divergence: Divergence = field(default_factory=Divergence)
    """What a training tells of seeds that diverge, if it looks; at the end all are looked at."""


class Method(ABC):
    """A way from observations to codes. Subclass it in a file of its own.

    The workflow and the tables read `title`, `family`, `parent`, `reads`, `on_request`,
    `gpu_from`, `max_latents`, `strict` and what decides the memory asked for without importing the
    file, so these must be literals in the method's own class.
    """

    title: ClassVar[str]
    """Name in figures."""
    family: ClassVar[Family]
    learns_from: tuple[str, ...] = ()
    """Splits that `fit` sees: of `train`, `val`, `ood`; a property where a setting decides."""
    knows: ClassVar[tuple[str, ...]] = ()
    """Privileged knowledge: of `dictionary` (A) and `codes` (Z of the splits learned from)."""
    signed: ClassVar[bool] = False
    """Whether codes may be negative whatever the problem. A method that solves the lasso leaves it
    False: its codes have the signs of the problem's latents, `Problem.signed`."""
    precision: ClassVar[torch.dtype] = torch.float32
    on_request: ClassVar[bool] = False
    """Whether it is in tables only where it is named, or a model of it is declared."""
    parent: ClassVar[str | None] = None
    """Another method whose model this one starts from."""
    reads: ClassVar[tuple[str, ...]] = ()
    """Names of settings that are paths of the user's files, or lists of such; a folder stands for
    all files below it, and an empty text for none. The workflow has the files as inputs of the fit,
    a configuration that names one that is not there is refused, and models keep their digests."""
    gpu_from: ClassVar[int | None] = None
    """Number of latents from which a GPU pays; None: never."""
    max_latents: ClassVar[int | None] = None
    """Number of latents up to which the method can be run at all; None: no limit."""
    atom_pairs: ClassVar[int | None] = None
    """Matrices over all pairs of atoms held at once for each seed, for the memory asked for."""
    codes_learned: ClassVar[int] = 0
    """Codes of all samples of a split that learning holds at once, likewise."""
    dictionaries_recorded: ClassVar[int] = 0
    """Arrays of a dictionary's size that records take, likewise."""
    dense: ClassVar[float] = 0.0
    """Share of the latents that may be active, likewise; 0: no more than observations have
    dimensions."""
    narrow: ClassVar[bool] = False
    """Whether codes have no more columns than observations, likewise."""
    Settings: ClassVar[type] = NoSettings
    """Frozen dataclass of the settings; its defaults are the paper's values. None is called
    `method`, `title` or `parent`, which are keys of a named model beside its settings."""
    strict: ClassVar[Mapping[str, Any]] = {}
    """Settings that differ under the strict protocol, for which the method is then fitted anew."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    def why_not(self, cell: Problem) -> str | None:
        """Return why the method cannot run on a cell, or None if it can."""
        lacking = [what for what in self.knows if what not in cell.knows]
        if lacking:
            return f"the problem has no true {' and '.join(lacking)}"
        if self.max_latents is not None and cell.n_latents > self.max_latents:
            return f"n_latents {cell.n_latents} is above this method's limit of {self.max_latents}"
        return None

    @abstractmethod
    def fit(self, lesson: Lesson) -> Fitted:
        """Learn from a lesson.

        Returns
        -------
        The model, and codes of those splits that were inferred along the way.
        """

    def encode_sound(
        self, model: Model, observations: Tensor, cell: Problem, divergence: Divergence
    ) -> Tensor:
        """Do what `encode` does, but for seeds that diverged, whose codes are zero."""
        seeds = divergence.sound(len(observations))
        if not seeds:
            return observations.new_zeros(*observations.shape[:2], cell.n_latents)
        codes = self.encode(model.of_seeds(seeds), take(observations, seeds), cell)
        return spread(codes, seeds, len(observations), 0.0)

    @abstractmethod
    def encode(self, model: Model, observations: Tensor, cell: Problem) -> Tensor:
        """Infer codes (seed, sample, atom) of observations (seed, sample, obs) of a cell."""

    def with_dictionary(self, model: Model, dictionary: Tensor, lesson: Lesson) -> Model:
        """Return the model with another dictionary (seed, obs, atom), which stays as it is.

        What encodes by parameters of its own overrides this, and trains them anew on `problem`.
        """
        exchanged = Model(model)
        exchanged["dictionary"] = replace(model["dictionary"], values=dictionary)
        return exchanged

    def decode(self, model: Model, codes: Tensor) -> Tensor:
        """Return the observations (seed, sample, obs) that codes (seed, sample, atom) stand for.

        This is D z, plus b_d where the model has one; for methods with a dictionary only.
        """
        observations = torch.bmm(codes, model.tensor("dictionary").mT)
        if "decoder_bias" in model:
            observations += model.tensor("decoder_bias")[:, None]
        return observations
