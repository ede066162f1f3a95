"""The metrics, one file each, found by file name.

A new file `metrics/<name>.py` with one subclass of `Metric` is all that it takes: what it gives is
then in every table of the protocols that it names.
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sae_surgery.parts import Registry

if TYPE_CHECKING:
    from sae_surgery.metrics.base import Metric, Quantity, Seen

PROTOCOLS = ("paper", "strict")

_registry = Registry(__name__, Path(__file__).parent, "metric")


@cache
def available(protocol: str) -> tuple[str, ...]:
    """Return the names of a protocol's metrics, sorted."""
    return tuple(name for name in _registry.names if protocol in _protocols(name))


def modules(protocol: str) -> tuple[str, ...]:
    """Return the modules of a protocol's metrics, which what is scored depends on."""
    return tuple(f"{__name__}.{name}" for name in available(protocol))


@cache
def load(name: str) -> "Metric":
    """Import a metric.

    Raises
    ------
    SurgeryError
        If there is no such metric.
    """
    from sae_surgery.metrics.base import Metric

    return _registry.load(name, Metric)()


@cache
def quantities(protocol: str) -> "dict[str, Quantity]":
    """Return by name all that a protocol's metrics give."""
    return {
        name: quantity
        for each in available(protocol)
        for name, quantity in load(each).gives.items()
    }


def score(protocol: str, seen: "Seen") -> dict[str, float]:
    """Return each of a protocol's quantities; NaN where it is not defined.

    Raises
    ------
    ValueError
        If codes and what they are compared with do not fit together.
    """
    found = dict.fromkeys(quantities(protocol), float("nan"))
    for name in available(protocol):
        if not why_not(name, seen.has):
            found |= load(name).score(seen)
    return found


def why_not(name: str, has: tuple[str, ...]) -> str:
    """Return what a metric needs that there is not, in words; empty if there is all."""
    from sae_surgery.metrics.base import NEEDS

    return ", ".join(NEEDS[need] for need in load(name).needs if need not in has)


def undefined(protocol: str, has: tuple[str, ...]) -> dict[str, str]:
    """Return by name, for quantities that are not defined, what would be needed."""
    reasons = {name: why_not(name, has) for name in available(protocol)}
    return {
        quantity: reason
        for name, reason in reasons.items()
        if reason
        for quantity in load(name).gives
    }


def _protocols(name: str) -> tuple[str, ...]:
    return _registry.trait(name, "protocols") or PROTOCOLS
