"""Settings: frozen dataclasses whose defaults are the paper's, filled in from a configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from sae_surgery.errors import SurgeryError


@dataclass(frozen=True)
class NoSettings:
    """Settings of a part that has none."""


def make_settings(name: str, cls: type, given: Mapping[str, Any]) -> Any:
    """Make the settings of the part called `name` from the values that a user gave.

    Raises
    ------
    SurgeryError
        If a setting is unknown, of the wrong type, or out of range.
    """
    defaults = {item.name: item.default for item in fields(cls)}
    for key, value in given.items():
        if key not in defaults:
            allowed = ", ".join(defaults) or "none; it has no settings"
            raise SurgeryError(f"settings.{name}: unknown setting {key!r}; allowed are {allowed}")
        if not _same_type(value, defaults[key]):
            expected = type(defaults[key]).__name__
            raise SurgeryError(f"settings.{name}.{key}: {value!r} is not of type {expected}")
    try:
        return cls(**given)
    except ValueError as error:
        raise SurgeryError(f"settings.{name}: {error}") from error


def applicable(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the values that a class of settings has a field for."""
    return {item.name: values[item.name] for item in fields(cls) if item.name in values}


def _same_type(value: Any, default: Any) -> bool:
    """Whether a value may stand where `default` does; an int may stand for a float."""
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, float):
        return isinstance(value, int | float)
    if isinstance(default, tuple | list):
        return isinstance(value, tuple | list)
    return isinstance(value, type(default))
