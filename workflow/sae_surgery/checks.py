"""Checks of arguments; each raises a ValueError that says what is wrong and what is allowed."""

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor


def is_number(value: object) -> bool:
    """Return whether a value is a finite number; a truth value is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_integer(value: object) -> bool:
    """Return whether a value is an integer; a truth value is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def require_positive(**values: float) -> None:
    """Raise ValueError unless each of `values`, given by name, is a finite number above 0."""
    for name, value in values.items():
        if not (is_number(value) and value > 0):
            raise ValueError(f"{name} must be a positive number, got {value!r}")


def require_non_negative(**values: float) -> None:
    """Raise ValueError unless each of `values`, given by name, is a finite number of at least 0."""
    for name, value in values.items():
        if not (is_number(value) and value >= 0):
            raise ValueError(f"{name} must be a number of at least 0, got {value!r}")


def require_between(least: float, most: float, **values: float) -> None:
    """Raise ValueError unless each of `values`, given by name, is a number within these bounds."""
    for name, value in values.items():
        if not (is_number(value) and least <= value <= most):
            raise ValueError(f"{name} must be a number from {least:g} to {most:g}, got {value!r}")


def require_positive_integer(**values: int) -> None:
    """Raise ValueError unless each of `values`, given by name, is an integer above 0."""
    for name, value in values.items():
        if not is_integer(value) or value < 1:
            raise ValueError(f"{name} must be a positive integer, got {value!r}")


def require_count(**values: int) -> None:
    """Raise ValueError unless each of `values`, given by name, is an integer and at least 0."""
    for name, value in values.items():
        if not is_integer(value) or value < 0:
            raise ValueError(f"{name} must be an integer of at least 0, got {value!r}")


def require_split(learns_from: str) -> None:
    """Raise ValueError unless a method can learn from that split."""
    if learns_from not in ("train", "val"):
        raise ValueError(f"learns_from must be train or val, got {learns_from!r}")


def require_increasing(**values: Sequence[int]) -> None:
    """Raise ValueError unless each of `values` holds integers of at least 0, ever larger ones."""
    for name, numbers in values.items():
        require_count(**{f"{name}[{index}]": number for index, number in enumerate(numbers)})
        if not numbers or any(after <= before for before, after in pairwise(numbers)):
            raise ValueError(f"{name} must be increasing numbers, at least one, got {numbers!r}")


def require_match(observations: Tensor, dictionary: Tensor) -> None:
    """Raise ValueError unless the shapes are (seed, sample, obs) and (seed, obs, atom)."""
    shapes = tuple(observations.shape), tuple(dictionary.shape)
    ranks_agree = observations.ndim == dictionary.ndim == 3
    if not ranks_agree or shapes[0][::2] != shapes[1][:2]:
        raise ValueError(
            "observations (seed, sample, obs) and dictionary (seed, obs, atom) must share seed and "
            f"obs, got {shapes[0]} and {shapes[1]}"
        )
