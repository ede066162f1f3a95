"""Questions that are asked of a trained SAE on activations, one file each, found by file name.

A new file `examination/<name>.py` with one subclass of `Question` is all that it takes. Numerics
only: nothing here reads or writes a file.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sae_surgery.parts import Registry

if TYPE_CHECKING:
    from sae_surgery.examination.base import Question

LEARN, HELD_OUT, OOD = "learn", "held_out", "ood"
"""Splits: rows that rivals learn from, rows that are scored, rows out of distribution."""

STARTED = "started"
"""The rival that is learned from the SAE's own decoder; the others are named by their seeds."""

_registry = Registry(__name__, Path(__file__).parent, "question")
trait = _registry.trait


def available() -> tuple[str, ...]:
    """Return the names of all questions, in the order in which a page answers them."""
    return tuple(sorted(_registry.names, key=lambda name: (trait(name, "place"), name)))


def load(name: str) -> "Question":
    """Import a question and make it.

    Raises
    ------
    SurgeryError
        If there is no such question.
    """
    from sae_surgery.examination.base import Question

    return _registry.load(name, Question)()
