"""Parts that are found by file name: a package whose modules each hold one of a kind.

Finding them and reading their literal class attributes imports nothing, because the Snakefile does
so at every start.
"""

import ast
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from sae_surgery.errors import SurgeryError, did_you_mean


class Registry:
    """The modules of a package, but for `base` and those whose names begin with an underscore."""

    def __init__(self, package: str, folder: Path, kind: str) -> None:
        self.package, self.folder, self.kind = package, folder, kind

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of all parts, sorted."""
        stems = (path.stem for path in self.folder.glob("*.py"))
        return tuple(sorted(stem for stem in stems if stem[0] != "_" and stem != "base"))

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
