"""Unrolled sparse coding for the true dictionary."""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from sae_surgery.methods._lista import ListaMethod
from sae_surgery.methods.base import Lesson


class ListaOracle(ListaMethod):
    """LISTA with D = A (protocol, section 2)."""

    title = "LISTA (oracle)"
    family = "oracle"
    knows = ("dictionary",)
    gpu_from = 500
    max_latents = 5000
    atom_pairs = 64  # 16 layers; weights, gradient and Adam's two moments
    dense = True
    strict: ClassVar[Mapping[str, Any]] = {"learns_from": "train", "lasso_penalty": True}

    def dictionary(self, lesson: Lesson) -> Tensor:
        """Return A."""
        return lesson.dictionary
