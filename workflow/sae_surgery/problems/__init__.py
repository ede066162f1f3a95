"""The problems, one file each, found by file name: laws of data, and users' own.

A new file `problems/<name>.py` with one subclass of `Problem` is all that it takes: a sweep then
chooses it by `problem: <name>`, and varies any of its settings.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sae_surgery.errors import SurgeryError
from sae_surgery.parts import Registry
from sae_surgery.problems.base import Problem

_registry = Registry(__name__, Path(__file__).parent, "problem")
trait = _registry.trait


def available() -> tuple[str, ...]:
    """Return the names of all problems, sorted."""
    return _registry.names


def kind(name: str) -> type[Problem]:
    """Import a problem and return its class.

    Raises
    ------
    SurgeryError
        If there is no such problem.
    """
    return _registry.load(name, Problem)


def load(name: str, settings: Mapping[str, Any]) -> Problem:
    """Make a problem from all of its settings, as a data file keeps them.

    Raises
    ------
    SurgeryError
        If there is no such problem, or a setting is unknown, missing, or out of range.
    """
    try:
        return kind(name)(**settings)
    except (TypeError, ValueError) as error:
        raise SurgeryError(f"problem {name}: {error}") from error
