"""The one exception that is meant for the person at the keyboard, and how it suggests names."""

import difflib
from collections.abc import Iterable


class SurgeryError(Exception):
    """Something a user can put right; its text says what is wrong, where, and what is allowed."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a question that suggests the nearest known name, or nothing if none is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]!r}? " if near else ""
