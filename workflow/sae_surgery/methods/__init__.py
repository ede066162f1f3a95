"""The methods, one file each, found by file name.

A new file `methods/<name>.py` with one subclass of `Method` is all that it takes: the method is
then in every table and figure. Finding methods and reading their literal class attributes imports
nothing heavy, because the Snakefile does so at every start.
"""

import ast
import difflib
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sae_surgery.errors import SurgeryError

if TYPE_CHECKING:
    from sae_surgery.methods.base import Method

FOLDER = Path(__file__).parent
NOT_METHODS = {"base"}


@cache
def available() -> tuple[str, ...]:
    """Return the names of all methods, sorted."""
    names = (path.stem for path in FOLDER.glob("*.py"))
    return tuple(sorted(name for name in names if name[0] != "_" and name not in NOT_METHODS))


@cache
def trait(name: str, attribute: str) -> Any:
    """Return a class attribute of a method, read from its file without importing it.

    The attribute must be written as a literal in the method's own class, or it is None; the
    contract tests hold every method to that.

    Raises
    ------
    SurgeryError
        If there is no such method, or the attribute is not a literal.
    """
    require(name)
    tree = ast.parse((FOLDER / f"{name}.py").read_text())
    for cls in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        for node in (node for node in cls.body if isinstance(node, ast.Assign)):
            if attribute in [getattr(target, "id", None) for target in node.targets]:
                try:
                    return ast.literal_eval(node.value)
                except ValueError as error:
                    problem = f"methods/{name}.py: {attribute} must be a literal"
                    raise SurgeryError(problem) from error
    return None


def require(name: str) -> None:
    """Raise a SurgeryError that names near misses unless `name` is a method."""
    if name not in available():
        near = difflib.get_close_matches(name, available(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"allowed are {', '.join(available())}"
        raise SurgeryError(f"methods: {name!r} is unknown; {hint}")


def load(name: str, settings: Mapping[str, Any] | None = None) -> "Method":
    """Import a method and make it with `settings` over the paper's defaults.

    Raises
    ------
    SurgeryError
        If the method or a setting is unknown, or a setting's value is not allowed.
    """
    from sae_surgery.methods.base import Method, make_settings

    require(name)
    module = import_module(f"{__name__}.{name}")
    classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Method)
        and value.__module__ == module.__name__
    ]
    if len(classes) != 1:
        raise SurgeryError(
            f"methods/{name}.py must define one subclass of Method, not {len(classes)}"
        )
    return classes[0](make_settings(name, classes[0].Settings, settings or {}))
