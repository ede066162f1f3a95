"""An SAE that another program trained, read from its file; see `loaders`."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from sae_surgery import loaders
from sae_surgery.errors import SurgeryError
from sae_surgery.loaders._coding import Coding, Inputs
from sae_surgery.loaders.base import SHAPES, TrainedSae
from sae_surgery.methods.base import Fitted, Lesson, Method, Model, Parameter
from sae_surgery.problems.base import Problem

LARGEST = torch.finfo(torch.float32).max
"""Stands for a threshold of infinity, which a model file cannot hold."""
ATOMS = "pursuit_atoms"
"""The dictionary in the SAE's own units, for matching pursuit alone, which encodes by it."""
DIMS = {**SHAPES, ATOMS: ("obs", "atom")}


@dataclass(frozen=True)
class SavedSettings:
    """Where the SAE lies."""

    path: str = ""
    """File or folder; there is no default."""
    format: str = ""
    """Name of a loader; recognised from the files if empty."""


class Saved(Method):
    """Encodes as the SAE's own library does, on activations in their own units.

    A problem of activations may have taken their mean off and divided them by a scale. Both are
    undone before the SAE encodes: what the problem kept of them stands in the model as `offset` and
    `scale`. Codes are those of the SAE itself; atoms and decoder bias are shifted and divided as
    observations were, so that they reconstruct observations.
    """

    title = "Saved SAE"
    family = "sae"
    on_request = True
    reads = ("path",)
    dense = True
    Settings: ClassVar[type] = SavedSettings

    @property
    def signed(self) -> bool:
        """As the SAE is."""
        return bool(self.settings.path) and self._sae.signed

    def why_not(self, cell: Problem) -> str | None:
        """One dictionary must reconstruct all observations, and they must fit the SAE."""
        reason = super().why_not(cell)
        if reason or not self.settings.path:
            return reason
        sae = self._sae
        if sae.obs_dim != cell.obs_dim:
            return f"the SAE takes activations {sae.obs_dim} wide, not {cell.obs_dim}"
        if sae.n_atoms > cell.n_latents:
            return f"n_latents {cell.n_latents} must be {sae.n_atoms} at least, the SAE's atoms"
        if sae.inputs.of_each_sample:
            return (
                "the SAE normalises each sample by itself, so that no one dictionary reconstructs "
                "observations; normalise the activations as it does, and save it without that"
            )
        return None

    def fit(self, lesson: Lesson) -> Fitted:
        """Take the SAE's parameters.

        Raises
        ------
        SurgeryError
            If no path is given, or the SAE there cannot be used.
        """
        if not self.settings.path:
            raise SurgeryError(
                "settings.saved.path: must name the file or folder of a trained SAE; declare it as "
                "models: {my_sae: {method: saved, path: ...}}"
            )
        sae = self._sae.to(lesson.device)
        n_seeds = len(lesson.seeds)
        offset, scale = lesson.offset, lesson.scale
        if offset is None:
            offset = sae.decoder_bias.new_zeros(n_seeds, sae.obs_dim)
        if scale is None:
            scale = sae.decoder_bias.new_ones(n_seeds)
        dictionary, decoder_bias = sae.inputs.undone(sae.dictionary, sae.decoder_bias)
        model = Model(
            dictionary=Parameter(
                dictionary / scale[:, None, None], ("obs", "atom"), "atoms, as observations are"
            ),
            decoder_bias=Parameter(
                (decoder_bias - offset) / scale[:, None], ("obs",), "decoder bias, likewise"
            ),
            offset=Parameter(offset, ("obs",), "what was subtracted from activations"),
            scale=Parameter(scale, (), "what they were then divided by"),
        )
        own = sae.coding.tensors() | sae.inputs.tensors()
        if sae.coding.pursuit_iterations is not None:
            own[ATOMS] = sae.dictionary
        for name, values in own.items():
            stacked = values.clamp(-LARGEST, LARGEST).expand(n_seeds, *values.shape)
            model[name] = Parameter(stacked, DIMS.get(name, ()), f"{name} of the SAE")
        return Fitted(model)

    def encode(self, model: Model, observations: Tensor, cell: Problem) -> Tensor:
        """Return the SAE's own codes of activations, which the observations were made of."""
        parts = []
        for seed, values in enumerate(observations):
            own = {name: parameter.values[seed] for name, parameter in model.items()}
            inputs, _ = Inputs.of(own).apply(values * own["scale"] + own["offset"])
            parts.append(Coding.of(own).encode(inputs, own.get(ATOMS, own["dictionary"])))
        return torch.stack(parts)

    def with_dictionary(self, model: Model, dictionary: Tensor, lesson: Lesson) -> Model:
        """Refuse: an encoder is trained with its dictionary, and this one cannot be."""
        raise SurgeryError(
            f"{self.settings.path}: a saved SAE cannot be trained for another dictionary; leave it "
            "out of the patients of this surgery"
        )

    @cached_property
    def _sae(self) -> TrainedSae:
        return loaders.load(Path(self.settings.path), self.settings.format or None)
