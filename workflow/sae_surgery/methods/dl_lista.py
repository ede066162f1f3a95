"""Unrolled sparse coding for the dictionary that dictionary learning found."""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from sae_surgery.methods._lista import ListaMethod
from sae_surgery.methods.base import Lesson


class DlLista(ListaMethod):
    """LISTA with D from the model of `dl_fista` (protocol, section 2)."""

    title = "DL-LISTA"
    family = "sparse coding"
    parent = "dl_fista"
    gpu_from = 500
    max_latents = 5000
    atom_pairs = 64  # 16 layers; weights, gradient and Adam's two moments
    dense = True
    strict: ClassVar[Mapping[str, Any]] = {"learns_from": "train", "lasso_penalty": True}

    def dictionary(self, lesson: Lesson) -> Tensor:
        """Return the learned dictionary."""
        return lesson.parent.tensor("dictionary")
