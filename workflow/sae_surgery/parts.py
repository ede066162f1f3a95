"""Parts: modules found by file name, and the settings that a configuration gives them.

Finding parts and reading their literal class attributes imports none of them, because the Snakefile
does so at every start. Settings are frozen dataclasses whose defaults are the paper's.
"""

import ast
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from sae_surgery.errors import SurgeryError, did_you_mean


class Registry:
    """The modules of a package, but for those `besides` and those that begin with an underscore."""

    def __init__(
        self, package: str, folder: Path, kind: str, besides: tuple[str, ...] = ("base",)
    ) -> None:
        self.package, self.folder, self.kind, self.besides = package, folder, kind, besides

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of all parts, sorted."""
        stems = (path.stem for path in self.folder.glob("*.py"))
        return tuple(sorted(s for s in stems if s[0] != "_" and s not in self.besides))

    def require(self, name: str) -> None:
        """Raise a SurgeryError that names near misses unless there is a part called `name`."""
        if name not in self.names:
            hint = did_you_mean(name, self.names)
            known = ", ".join(self.names)
            raise SurgeryError(f"{self.kind}: {name!r} is unknown; {hint}allowed are {known}")

    def trait(self, name: str, attribute: str) -> Any:
        """Return a class attribute of a part, read from its file without importing it.

        The attribute must be written as a literal in the part's own class, or it is None; the
        contract tests hold every part to that.

        Raises
        ------
        SurgeryError
            If there is no such part, or the attribute is not a literal.
        """
        self.require(name)
        for cls in (node for node in self._tree(name).body if isinstance(node, ast.ClassDef)):
            for node in cls.body:
                if attribute in _names_assigned(node):
                    try:
                        return ast.literal_eval(node.value)
                    except ValueError as error:
                        problem = f"{self.kind} {name}: {attribute} must be a literal"
                        raise SurgeryError(problem) from error
        return None

    def load(self, name: str, base: type) -> type:
        """Import a part and return its class, the only subclass of `base` that it defines.

        Raises
        ------
        SurgeryError
            If there is no such part, or it does not define exactly one such class.
        """
        self.require(name)
        module = import_module(f"{self.package}.{name}")
        own = [value for value in vars(module).values() if isinstance(value, type)]
        found = [cls for cls in own if issubclass(cls, base) and cls.__module__ == module.__name__]
        if len(found) != 1:
            wanted = f"one subclass of {base.__name__}, not {len(found)}"
            raise SurgeryError(f"{self.kind} {name}: its file must define {wanted}")
        return found[0]

    def _tree(self, name: str) -> ast.Module:
        if name not in self._trees:
            self._trees[name] = ast.parse((self.folder / f"{name}.py").read_bytes())
        return self._trees[name]

    @cached_property
    def _trees(self) -> dict[str, ast.Module]:
        """Files parsed so far: a scheduler asks for the same traits thousands of times."""
        return {}


def _names_assigned(node: ast.stmt) -> list[str | None]:
    """Return the names that a statement gives a value to, annotated or not."""
    if isinstance(node, ast.Assign):
        return [getattr(target, "id", None) for target in node.targets]
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        return [getattr(node.target, "id", None)]
    return []


LARGEST_INTEGER = 2**31 - 1
"""Counts are 32-bit integers in compiled loops."""


@dataclass(frozen=True)
class NoSettings:
    """Settings of a part that has none."""


def make_settings(key: str, cls: type, given: Mapping[str, Any]) -> Any:
    """Make the settings of a part from the values that a user gave below a key.

    Raises
    ------
    SurgeryError
        If settings are unknown, of the wrong type, or out of range; one line for each.
    """
    defaults = {item.name: item.default for item in fields(cls)}
    problems = []
    for name, value in given.items():
        if name not in defaults:
            hint = did_you_mean(name, defaults)
            allowed = ", ".join(defaults) or "none; it has no settings"
            problems.append(f"{key}: unknown setting {name!r}; {hint}allowed are {allowed}")
        else:
            problems += wrong_type(f"{key}.{name}", value, defaults[name])
    if problems:
        raise SurgeryError("\n".join(problems))
    values = {k: tuple(v) if isinstance(defaults[k], tuple) else v for k, v in given.items()}
    try:
        return cls(**values)
    except ValueError as error:
        raise SurgeryError(f"{key}: {error}") from error


def applicable(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the values that a class of settings has a field for."""
    return {item.name: values[item.name] for item in fields(cls) if item.name in values}


def wrong_type(key: str, value: Any, default: Any) -> Iterator[str]:
    """Yield a line for each thing that keeps a value from standing where `default` does.

    A list stands for a tuple, and its entries where the default's first one does.
    """
    if isinstance(default, tuple):
        if isinstance(value, list | tuple):
            for index, entry in enumerate(value):
                yield from wrong_type(f"{key}.{index}", entry, default[0])
        else:
            yield f"{key}: {value!r} is not a list; write [{value}]"
    elif not _same_type(value, default):
        yield f"{key}: {value!r} is not of type {type(default).__name__}{_advice(value, default)}"
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{key}: {value!r} is not a finite number"
    elif isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        yield f"{key}: {value!r} is too large; allowed are numbers up to {LARGEST_INTEGER}"


def _same_type(value: Any, default: Any) -> bool:
    """Whether a value may stand where `default` does; an int may stand for a float."""
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, float):
        return isinstance(value, int | float)
    return isinstance(value, type(default))


def _advice(value: Any, default: Any) -> str:
    """Return what to write in the place of a value of the wrong type, if that is plain."""
    if isinstance(default, bool):
        return "; allowed are true and false"
    if not isinstance(default, int | float) or not isinstance(value, str | float):
        return ""
    try:
        read = float(value)
    except ValueError:
        return ""
    if not math.isfinite(read) or (isinstance(default, int) and not read.is_integer()):
        return ""
    number = int(read) if isinstance(default, int) else read
    return f"; write {number!r}{', without quotes' if isinstance(value, str) else ''}"
