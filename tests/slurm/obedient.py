"""A method that does as it is told while it is being fitted, to test what becomes of its job."""

import time
from pathlib import Path

from torch import Tensor

from sae_surgery.methods.base import Fitted, Method, Model, Problem
from sae_surgery.problem import Cell


class Obedient(Method):
    """Codes are the observations; fitting follows the file `orders/<cell>` as long as it is there.

    `wait` waits until the file is gone, `memory` takes two gigabytes and waits.
    """

    title = "Obedient"
    family = "linear"
    signed = True
    gpu_from = 40

    def fit(self, problem: Problem) -> Fitted:
        """Follow orders."""
        order = Path("orders") / problem.cell.name
        if order.exists():
            taken = bytearray(2 * 10**9) if order.read_text() == "memory" else b""
            while order.exists():
                time.sleep(0.1)
            del taken
        return Fitted(Model())

    def encode(self, model: Model, observations: Tensor, cell: Cell) -> Tensor:
        """Return what is observed."""
        return observations
