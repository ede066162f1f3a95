"""What a configuration says of figures: how they look, and what of their tables they show."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sae_surgery.errors import SurgeryError, did_you_mean
from sae_surgery.plan import schemas

TEXT_WIDTH = 6.75
"""Inches, both columns of the page."""

_WIDTHS = {"text": TEXT_WIDTH, "column": 3.25}
_MM = 25.4  # an inch
_KEY = "plotting"


@dataclass(frozen=True)
class Plotting:
    """The key `plotting` of a configuration; see config/README.md.

    Attributes
    ----------
    palette
        By family or method, a colour `#rrggbb`, or for a family several of them.
    font
        Name of a font family.
    width
        `text`, `column`, or millimetres.
    formats
        Of files.
    titles
        Whether question and answer head each figure.
    methods
        Those drawn, of those in the table; None for all.
    panels
        By dimension of the tables, the values drawn.
    metrics
        By figure, the metrics of its main drawing.
    """

    palette: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    font: str = "DejaVu Sans"  # comes with matplotlib: the same on every machine
    width: str | float = "text"
    formats: Sequence[str] = field(default_factory=lambda: ["pdf", "png"])
    titles: bool = True
    methods: Sequence[str] | None = None
    panels: Mapping[str, Sequence[float]] = field(default_factory=dict)
    metrics: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> "Plotting":
        """Return what is given, checked; what is not is as by default.

        Raises
        ------
        SurgeryError
            If it is not what the key can hold.
        """
        wrong = schemas.problems(given, schemas.schema("config")["properties"]["plotting"], _KEY)
        if wrong:
            raise SurgeryError("\n".join(line for lines in wrong.values() for line in lines))
        return cls(**given)

    @property
    def inches(self) -> float:
        """The width."""
        return _WIDTHS[self.width] if isinstance(self.width, str) else self.width / _MM

    def of(self, figure: str) -> dict[str, Any]:
        """Return what differs from the defaults and concerns a figure, as built-in types."""
        given = {key: value for key, value in asdict(self).items() if value != _DEFAULTS[key]}
        if "metrics" in given:
            given["metrics"] = {
                name: value for name, value in given["metrics"].items() if name == figure
            }
        return {key: value for key, value in given.items() if value != {}}


_DEFAULTS = asdict(Plotting())


def wrong_names(
    given: Mapping[str, Any],
    methods: Sequence[str],
    families: Sequence[str],
    figures: Sequence[str],
) -> Iterator[str]:
    """Yield a line for each name that does not exist.

    Parameters
    ----------
    given
        The value of the key, of the right types.
    methods, families, figures
        What there is: `methods` with the run's models, `figures` whose metrics can be chosen.
    """
    for name, colours in given["palette"].items():
        yield from _unknown(f"{_KEY}.palette", name, (*families, *methods))
        if name in methods and not isinstance(colours, str):
            yield f"{_KEY}.palette.{name}: a method has one colour; write {colours[0]!r}"
    for name in given["methods"] or ():
        yield from _unknown(f"{_KEY}.methods", name, methods)
    for name in given["metrics"]:
        yield from _unknown(f"{_KEY}.metrics", name, figures)


def _unknown(key: str, name: str, known: Sequence[str]) -> Iterator[str]:
    if name not in known:
        hint = did_you_mean(name, known)
        yield f"{key}: {name!r} is unknown; {hint}allowed are {', '.join(known)}"
