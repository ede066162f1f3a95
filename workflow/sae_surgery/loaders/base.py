"""What a trained SAE is, however it was saved, and what a loader of one format does."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import torch
from torch import Tensor

from sae_surgery.errors import SurgeryError
from sae_surgery.loaders._coding import Coding, Inputs


@dataclass(frozen=True)
class TrainedSae:
    """An SAE that another program trained, as it encodes and decodes there.

    Raises
    ------
    SurgeryError
        If parameters have wrong shapes, are empty, or hold values that are not finite.
    """

    format: str
    """Name of the loader."""
    architecture: str
    """As the format calls it."""
    source: str
    """File that it was read from."""
    dictionary: Tensor
    """D (obs, atom) float32, columns as codes are multiplied with: norms are not touched."""
    decoder_bias: Tensor
    """b_d (obs,)"""
    coding: Coding
    """From inputs to codes."""
    inputs: Inputs = field(default_factory=Inputs)
    """From activations to inputs."""
    promised: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """What the file says of itself: `k`, active atoms at most; `mean_k`, on average; `l0`, the mean
    that was recorded in training; `unit_norm`, 1 where atoms are of norm 1."""
    notes: tuple[str, ...] = ()
    """How it was read, a sentence each."""

    def __post_init__(self) -> None:
        """Refuse what cannot be an SAE."""
        _check(self)

    @property
    def obs_dim(self) -> int:
        """Width of the activations."""
        return self.dictionary.shape[0]

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return self.dictionary.shape[1]

    @property
    def signed(self) -> bool:
        """Whether codes may be negative."""
        return self.coding.signed

    def to_inputs(self, observations: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """Return what the SAE reconstructs of activations (sample, obs), and the way back.

        In that space codes z reconstruct as D z + b_d; what is returned second takes such a
        reconstruction (sample, obs) of the same samples back into units of the activations.

        Raises
        ------
        SurgeryError
            If observations are of another width, empty, or not finite.
        """
        return self.inputs.apply(self._sound(observations))

    def encode(self, observations: Tensor) -> Tensor:
        """Return codes (sample, atom) of activations (sample, obs), as the library computes them.

        Raises
        ------
        SurgeryError
            If observations are of another width, empty, or not finite.
        """
        inputs, _ = self.to_inputs(observations)
        return self.coding.encode(inputs, self.dictionary)

    def reconstruct(self, observations: Tensor, codes: Tensor) -> Tensor:
        """Return what codes (sample, atom) say of activations (sample, obs), in their units."""
        _, restore = self.to_inputs(observations)
        return restore(codes @ self.dictionary.T + self.decoder_bias)

    def tensors(self) -> dict[str, Tensor]:
        """Return all parameters, by the names of the plain format."""
        decoder = {"dictionary": self.dictionary, "decoder_bias": self.decoder_bias}
        return decoder | self.coding.tensors() | self.inputs.tensors()

    def to(self, device: torch.device) -> "TrainedSae":
        """Return the SAE with its parameters on a device."""
        moved = {name: tensor.to(device) for name, tensor in self.tensors().items()}
        return replace(
            self,
            dictionary=moved["dictionary"],
            decoder_bias=moved["decoder_bias"],
            coding=Coding.of(moved),
            inputs=Inputs.of(moved),
        )

    def _sound(self, observations: Tensor) -> Tensor:
        if observations.ndim != 2 or observations.shape[1] != self.obs_dim:
            raise SurgeryError(
                f"{self.source}: this SAE takes activations (sample, {self.obs_dim}), got shape "
                f"{tuple(observations.shape)}; give activations of the layer that it was trained on"
            )
        if len(observations) == 0:
            raise SurgeryError(f"{self.source}: there are no activations to encode")
        observations = observations.to(self.dictionary)
        if not observations.isfinite().all():
            bad = int((~observations.isfinite().all(dim=1)).sum())
            raise SurgeryError(
                f"{bad} of {len(observations)} activations hold values that are not finite; "
                "leave these out"
            )
        return observations


class Loader(ABC):
    """A format in which trained SAEs are saved. Subclass it in a file of its own."""

    title: ClassVar[str]
    """Name of the library or release."""
    looks_like: ClassVar[str]
    """The files by which it is recognised."""

    @abstractmethod
    def files(self, path: Path) -> tuple[Path, ...]:
        """Return the files that the SAE at a path is read from; none if it is no such SAE.

        Looks at names of files and of tensors alone.
        """

    @abstractmethod
    def read(self, path: Path) -> TrainedSae:
        """Read the SAE at a path for which `files` returned some.

        Raises
        ------
        SurgeryError
            If it cannot be used, in one line.
        """


SHAPES: Mapping[str, tuple[str, ...]] = {
    "dictionary": ("obs", "atom"),
    "decoder_bias": ("obs",),
    "encoder_weight": ("atom", "obs"),
    "encoder_bias": ("atom",),
    "input_bias": ("obs",),
    "threshold": ("atom",),
    "magnitude_scale": ("atom",),
    "magnitude_bias": ("atom",),
    "input_mean": ("obs",),
    "whitening": ("obs", "obs_white"),
    "unwhitening": ("obs_white", "obs"),
}
"""Dimensions of parameters; the others are numbers."""


def _check(sae: TrainedSae) -> None:
    shape = tuple(sae.dictionary.shape)
    if len(shape) != 2 or 0 in shape:
        raise SurgeryError(
            f"{sae.source}: a dictionary (dimension, atom) is needed, got shape {shape}"
        )
    sizes = {"obs": shape[0], "atom": shape[1], "obs_white": shape[0]}
    for name, tensor in sae.tensors().items():
        expected = tuple(sizes[dim] for dim in SHAPES.get(name, ()))
        if tuple(tensor.shape) != expected:
            raise SurgeryError(
                f"{sae.source}: {name} must have shape {expected} beside a dictionary of "
                f"{shape}, got {tuple(tensor.shape)}"
            )
        if not tensor.isfinite().all():
            # A threshold of infinity is an atom that is never active.
            if name == "threshold" and not tensor.isnan().any():
                continue
            raise SurgeryError(
                f"{sae.source}: {name} holds values that are not finite; the file is damaged, or "
                "its training diverged"
            )
    for name in ("k", "signed_k", "groups"):
        number = getattr(sae.coding, name)
        if number is not None and not 1 <= number <= shape[1]:
            raise SurgeryError(
                f"{sae.source}: {name} must be from 1 to {shape[1]}, the number of atoms, "
                f"got {number}"
            )
    if sae.coding.groups and shape[1] % sae.coding.groups:
        raise SurgeryError(
            f"{sae.source}: {shape[1]} atoms cannot be divided into {sae.coding.groups} groups"
        )
