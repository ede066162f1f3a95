"""The paper's figures, one file each; what they share is `sae_surgery.drawing`.

A figure module offers

- ``INPUTS``: the names of the experiment tables it reads, as a literal tuple;
- ``QUESTION``: its caption, opening with the question it answers;
- ``draw(tables)``: figures by output stem, ``{"latents": ..., "latents_all": ...}``;
- ``numbers(tables)``: what is drawn, as a tidy frame;
- ``FIXED_METRICS = True``, if its metrics cannot be chosen by `plotting.metrics`.

Finding the figures and their inputs imports none of them: the Snakefile does so at every start.
"""

import ast
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from sae_surgery.errors import SurgeryError

FOLDER = Path(__file__).parent


@cache
def available() -> tuple[str, ...]:
    """Return the names of all figures, sorted."""
    names = (path.stem for path in FOLDER.glob("*.py"))
    return tuple(sorted(name for name in names if _declared_inputs(name)))


def inputs(name: str) -> tuple[str, ...]:
    """Return the names of the experiment tables that a figure reads, without importing it.

    Raises
    ------
    SurgeryError
        If there is no such figure.
    """
    _require(name)
    return _declared_inputs(name)


def with_chosen_metrics() -> tuple[str, ...]:
    """Return the figures whose metrics a configuration can choose, without importing them."""
    return tuple(name for name in available() if not _declared(name, "FIXED_METRICS"))


def load(name: str) -> ModuleType:
    """Import a figure.

    Raises
    ------
    SurgeryError
        If there is no such figure.
    """
    _require(name)
    return import_module(f"{__name__}.{name}")


def _require(name: str) -> None:
    if name not in available():
        raise SurgeryError(f"figure {name!r} is unknown; there are {', '.join(available())}")


def _declared_inputs(name: str) -> tuple[str, ...]:
    return _declared(name, "INPUTS") or ()


@cache
def _declared(name: str, variable: str) -> Any:
    """Return the literal that the module assigns to a variable, or None if it assigns none."""
    for node in ast.parse((FOLDER / f"{name}.py").read_bytes()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == variable:
            return ast.literal_eval(node.value)
    return None
