"""The methods, one file each, found by file name.

A new file `methods/<name>.py` with one subclass of `Method` is all that it takes: the method is
then in every table and figure.
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


def load(name: str, settings: Mapping[str, Any] | None = None) -> "Method":
    """Import a method and make it with `settings` over the paper's defaults.

    Raises
    ------
    SurgeryError
        If the method or a setting is unknown, or a setting's value is not allowed.
    """
    from sae_surgery.methods.base import Method

    cls = _registry.load(name, Method)
    return cls(make_settings(name, cls.Settings, settings or {}))
