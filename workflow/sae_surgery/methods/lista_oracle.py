"""Unrolled sparse coding for the true dictionary."""

from torch import Tensor

from sae_surgery.methods._lista import ListaMethod
from sae_surgery.methods.base import Problem


class ListaOracle(ListaMethod):
    """LISTA with D = A (protocol, section 2)."""

    title = "LISTA (oracle)"
    family = "oracle"
    knows = ("dictionary",)
    gpu_from = 500
    # The layers of three seeds with Adam's moments fill 20 GB here, 80 GB at twice the latents.
    max_latents = 5000

    def dictionary(self, problem: Problem) -> Tensor:
        """Return A."""
        return problem.dictionary
