"""The paper's figures, one file each; a figure is registered by being a file of this package.

A figure module offers

- ``INPUTS``: the names of the experiment tables it reads;
- ``QUESTION``: its caption, opening with the question it answers;
- ``draw(tables)``: figures by output stem, such as ``{"latents": ..., "latents_all": ...}``;
- ``numbers(tables)``: what is drawn, as a tidy frame.

Listing the figures imports none of them, so that a workflow can do it without matplotlib.
"""

import ast
import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

_SHARED = frozenset({"style", "summary", "sweep"})


def available() -> tuple[str, ...]:
    """Names of all figures, sorted."""
    names = {module.name for module in pkgutil.iter_modules(__path__)}
    return tuple(sorted(names - _SHARED))


def inputs(name: str) -> tuple[str, ...]:
    """Names of the tables that a figure reads: its literal ``INPUTS``.

    Raises
    ------
    ValueError
        If there is no such figure, or it does not say what it reads.
    """
    _require(name)
    tree = ast.parse((Path(__file__).parent / f"{name}.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(each) for each in node.targets] == [
            "INPUTS"
        ]:
            return ast.literal_eval(node.value)
    raise ValueError(f"figures/{name}.py has no INPUTS")


def load(name: str) -> ModuleType:
    """Import the figure called `name`.

    Raises
    ------
    ValueError
        If there is no such figure.
    """
    _require(name)
    return importlib.import_module(f"{__name__}.{name}")


def _require(name: str) -> None:
    if name not in available():
        raise ValueError(f"unknown figure {name!r}; available: {', '.join(available())}")
