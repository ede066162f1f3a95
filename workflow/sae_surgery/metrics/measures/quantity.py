"""What a number is called, in files and on axes."""

from typing import NamedTuple


class Quantity(NamedTuple):
    """One number that a metric gives."""

    title: str
    """Name on an axis."""
    long_name: str
    better: str = ""
    """Which way is better: `higher`, `lower`, or empty where neither is."""
    units: str = "1"
