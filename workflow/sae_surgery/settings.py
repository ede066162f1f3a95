"""Settings: frozen dataclasses whose defaults are the paper's, filled in from a configuration."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from sae_surgery.errors import SurgeryError, did_you_mean

LARGEST_INTEGER = 2**31 - 1
"""Counts are 32-bit integers in compiled loops."""


@dataclass(frozen=True)
class NoSettings:
    """Settings of a part that has none."""


def make_settings(name: str, cls: type, given: Mapping[str, Any]) -> Any:
    """Make the settings of the part called `name` from the values that a user gave.

    Raises
    ------
    SurgeryError
        If settings are unknown, of the wrong type, or out of range; one line for each.
    """
    defaults = {item.name: item.default for item in fields(cls)}
    problems = []
    for key, value in given.items():
        if key not in defaults:
            hint = did_you_mean(key, defaults)
            allowed = ", ".join(defaults) or "none; it has no settings"
            unknown = f"unknown setting {key!r}; {hint}allowed are {allowed}"
            problems.append(f"settings.{name}: {unknown}")
        else:
            problems += _problems(f"settings.{name}.{key}", value, defaults[key])
    if problems:
        raise SurgeryError("\n".join(problems))
    values = {k: tuple(v) if isinstance(defaults[k], tuple) else v for k, v in given.items()}
    try:
        return cls(**values)
    except ValueError as error:
        raise SurgeryError(f"settings.{name}: {error}") from error


def applicable(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the values that a class of settings has a field for."""
    return {item.name: values[item.name] for item in fields(cls) if item.name in values}


def _problems(key: str, value: Any, default: Any) -> Iterator[str]:
    """Yield a line for each thing that keeps a value from standing where `default` does.

    A list stands for a tuple, and its entries where the default's first one does.
    """
    if isinstance(default, tuple):
        if isinstance(value, list | tuple):
            for index, entry in enumerate(value):
                yield from _problems(f"{key}.{index}", entry, default[0])
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
