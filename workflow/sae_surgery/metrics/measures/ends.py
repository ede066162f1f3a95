"""A number with the ends of its interval, as quantities and as values."""

from collections.abc import Mapping

from sae_surgery.metrics.measures.bootstrap import LEVEL
from sae_surgery.metrics.measures.quantity import Quantity

_INTERVAL = f"{100 * LEVEL:.0f} % interval by bootstrap over samples"
_ENDS = {"low": "lower", "high": "upper"}


def ends_of(quantities: Mapping[str, Quantity]) -> dict[str, Quantity]:
    """Return the quantities and, after each name, `_low` and `_high`: the ends of its interval."""
    ends = {
        f"{name}_{end}": Quantity(
            f"{quantity.title}, {word} end",
            f"{word} end of the {_INTERVAL} of {name}",
            axis=quantity.axis,
        )
        for name, quantity in quantities.items()
        for end, word in _ENDS.items()
    }
    return {**quantities, **ends}


def with_ends(name: str, value: float, ends: tuple[float, float]) -> dict[str, float]:
    """Return a value and the ends of its interval, by name."""
    return {name: value, **{f"{name}_{end}": e for end, e in zip(_ENDS, ends, strict=True)}}
