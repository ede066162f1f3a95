"""What a number is called, in files and on axes."""

from typing import Literal, NamedTuple

Axis = Literal["share", "chance", "count", ""]


class Quantity(NamedTuple):
    """One number that a metric gives."""

    title: str
    """Name on an axis."""
    long_name: str
    better: str = ""
    """Which way is better: `higher`, `lower`, or empty where neither is."""
    units: str = "1"
    axis: Axis = ""
    """How figures scale it: `share`, from 0 to 1, lower if values are; `chance`, from one half to
    1, likewise; `count`, logarithmic; empty, as the values are."""
    quoted: bool = False
    """Whether the manuscript may quote it."""
