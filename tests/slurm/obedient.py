"""A method that does as it is told while it is being fitted, to test what becomes of its job."""

import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from sae_surgery.machine.checkpoints import InPlace
from sae_surgery.methods.base import Fitted, Lesson, Method, Model, Parameter
from sae_surgery.problems.paper import Cell

N_STEPS = 20


class Obedient(Method):
    """Codes are the observations; what is learned is a number that any slip would change.

    Half-way, learning follows the file `orders/<cell>` as long as it is there: `wait` waits until
    the file is gone, `memory` takes two gigabytes and waits.
    """

    title = "Obedient"
    family = "linear"
    signed = True
    gpu_from = 40

    def fit(self, lesson: Lesson) -> Fitted:
        """Iterate a chaotic map, saving each step."""
        learned = torch.full((len(lesson.seeds), 1), 0.3)
        checkpoint = replace(lesson.checkpoint, seconds=0)
        for step in checkpoint.steps(N_STEPS, InPlace(learned)):
            learned.mul_(3.9 * (1 - learned))
            if step == N_STEPS // 2:
                _obey(Path("orders") / lesson.cell.name)
        return Fitted(Model(learned=Parameter(learned, ("part",), "what was learned")))

    def encode(self, model: Model, observations: Tensor, cell: Cell) -> Tensor:
        """Return what is observed."""
        return observations


def _obey(order: Path) -> None:
    if order.exists():
        taken = bytearray(2 * 10**9) if order.read_text(encoding="utf-8") == "memory" else b""
        while order.exists():
            time.sleep(0.1)
        del taken
