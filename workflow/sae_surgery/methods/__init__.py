"""The methods, one file each, found by file name.

A new file `methods/<name>.py` with one subclass of `Method` is all that it takes: the method is
then in every table and figure, unless its class says `on_request`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sae_surgery.parts import Registry, make_settings

if TYPE_CHECKING:
    from sae_surgery.methods.base import Method

_registry = Registry(__name__, Path(__file__).parent, "method")
trait = _registry.trait


def available() -> tuple[str, ...]:
    """Return the names of all methods, sorted."""
    return _registry.names


def usual() -> tuple[str, ...]:
    """Return the names of the methods that are compared where none are named, sorted."""
    return tuple(name for name in available() if not trait(name, "on_request"))


def load(name: str, settings: Mapping[str, Any] | None = None, key: str | None = None) -> "Method":
    """Import a method and make it with `settings` over the paper's defaults.

    `key` is where a configuration has them, ``settings.<name>`` unless said otherwise; errors begin
    with it.

    Raises
    ------
    SurgeryError
        If the method or a setting is unknown, or a setting's value is not allowed.
    """
    from sae_surgery.methods.base import Method

    cls = _registry.load(name, Method)
    return cls(make_settings(key or f"settings.{name}", cls.Settings, settings or {}))


def files_of(name: str, settings: Mapping[str, Any]) -> tuple[Path, ...]:
    """Return the user's files that a method reads, named by those of its settings in `reads`.

    A folder stands for all files in it and below.
    """
    named = [settings.get(setting, "") for setting in trait(name, "reads") or ()]
    texts = [text for value in named for text in _listed(value) if text]
    found = []
    for path in map(Path, texts):
        below = sorted(each for each in path.rglob("*") if each.is_file())
        found += below if path.is_dir() else [path]
    return tuple(dict.fromkeys(found))


def _listed(value: Any) -> list[Any]:
    return [*value] if isinstance(value, list | tuple) else [value]
