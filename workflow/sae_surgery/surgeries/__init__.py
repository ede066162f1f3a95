"""The surgeries, one file each, found by file name.

A new file `surgeries/<name>.py` with one subclass of `Surgery` is all that it takes.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sae_surgery.parts import Registry, make_settings

if TYPE_CHECKING:
    from sae_surgery.surgeries.base import Surgery

_registry = Registry(__name__, Path(__file__).parent, "surgery")
trait = _registry.trait


def available() -> tuple[str, ...]:
    """Return the names of all surgeries, sorted."""
    return _registry.names


def load(name: str, settings: Mapping[str, Any] | None = None) -> "Surgery":
    """Import a surgery and make it with `settings` over the paper's defaults.

    Raises
    ------
    SurgeryError
        If the surgery or a setting is unknown, or a setting's value is not allowed.
    """
    from sae_surgery.surgeries.base import Surgery

    cls = _registry.load(name, Surgery)
    return cls(make_settings(f"settings.{name}", cls.Settings, settings or {}))
