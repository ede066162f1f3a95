"""How every figure looks, and how it is written to a file.

A family of methods has one hue, one line style and one kind of marker, so that it is told apart in
colour, by the colour-blind and in grey; the members of a family differ in lightness and marker.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure, FigureBase

from sae_surgery.errors import SurgeryError
from sae_surgery.machine.atomic import replacing
from sae_surgery.plan.plotting import TEXT_WIDTH, Plotting

__all__ = ["TEXT_WIDTH"]

LEGEND_SIZE = 7  # points
BAND_COLOUR = "0.82"

# Over the theme "ticks" of seaborn.
_THEME = {
    "figure.labelsize": 8,
    "figure.dpi": 300,
    "axes.titlelocation": "left",
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "0.9",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.1,
    "lines.markersize": 5,
    "lines.markeredgewidth": 0.3,
    "legend.frameon": False,
    "legend.fontsize": LEGEND_SIZE,
    "savefig.dpi": "figure",
    "pdf.fonttype": 42,
    "svg.hashsalt": "sae-surgery",
}
_FONT_SCALE = 8 / 9.6  # labels of 8 points, where seaborn's for papers have 9.6

# What would differ between two drawings of the same numbers: the time.
_METADATA = {".pdf": {"CreationDate": None}, ".png": {"Software": None}, ".svg": {"Date": None}}

_DECIMALS = 5  # of a figure's width and height
_TINTS = 5  # of a family's one colour


@dataclass(frozen=True)
class Family:
    """The common look of a family; its members take shades and markers in turn.

    Attributes
    ----------
    members
        Methods with a reserved place, so that they look the same in every figure.
    shades, markers
        Colours from dark to light; matplotlib markers.
    dashes
        Lengths of dashes and gaps in line widths; none for a line without gaps.
    """

    members: tuple[str, ...]
    shades: tuple[str, ...]
    markers: tuple[str | tuple[int, int, int], ...]
    dashes: tuple[float, ...] = ()


FAMILIES = {
    "oracle": Family(("fista_oracle", "lista_oracle"), ("#000000", "#555555"), ("s", "D")),
    "sparse coding": Family(
        ("dl_fista", "softplus_adam", "dl_lista", "dl_scaled"),
        ("#062f5e", "#1c63ad", "#4a9ae0", "#84bdf0"),
        ("o", "h", "p", (6, 1, 0)),
    ),
    "sae": Family(
        ("sae_relu", "sae_topk", "sae_jumprelu", "sae_mp"),
        ("#7a2600", "#b8470a", "#dd6f12", "#eb9a45"),
        ("^", "v", "<", ">", (4, 1, 0), (5, 1, 0), (3, 1, 0), (4, 1, 45)),
        (4, 1.5),
    ),
    "linear": Family(
        ("linear_probe", "pca", "raw"), ("#00604a", "#109a78", "#52b595"), ("X", "P", "d"), (1, 1.3)
    ),
    "chance": Family(("random_dictionary",), (BAND_COLOUR,), ("",)),
}


@dataclass(frozen=True)
class Look:
    """What marks one method."""

    color: str
    marker: str | tuple[int, int, int]
    dashes: tuple[float, ...]

    @property
    def linestyle(self) -> str | tuple[int, tuple[float, ...]]:
        """The dashes, as matplotlib takes them."""
        return (0, self.dashes) if self.dashes else "-"


_PLOTTING: ContextVar[Plotting | None] = ContextVar("plotting", default=None)


def plotting() -> Plotting:
    """Return what the configuration says of figures; outside of `configured`, its defaults."""
    return _PLOTTING.get() or Plotting()


def metrics(figure: str, default: Sequence[str]) -> tuple[str, ...]:
    """Return what a figure's main drawing shows, by the configuration or else by default."""
    return tuple(plotting().metrics.get(figure, default))


@contextmanager
def configured(chosen: Plotting) -> Iterator[None]:
    """Draw as a configuration says."""
    token = _PLOTTING.set(chosen)
    try:
        yield
    finally:
        _PLOTTING.reset(token)


@contextmanager
def applied() -> Iterator[None]:
    """Draw in this style, whatever the user's own matplotlib settings, and restore them.

    Raises
    ------
    SurgeryError
        If the configuration's font is not there.
    """
    # Steps that only save a figure's numbers import this module too.
    import seaborn as sns

    with mpl.rc_context():
        mpl.rcdefaults()
        sns.set_theme("paper", "ticks", font=_font(), font_scale=_FONT_SCALE, rc=_THEME)
        yield


def _font() -> str:
    from matplotlib import font_manager

    font = plotting().font
    known = sorted({each.name for each in font_manager.fontManager.ttflist})
    if font not in known:
        raise SurgeryError(f"plotting.font: {font!r} is unknown; there are {', '.join(known)}")
    return font


def looks(families: Mapping[str, str]) -> dict[str, Look]:
    """Return the look of each method, in the order of the legend.

    Parameters
    ----------
    families
        Family by method. A method this file does not know, and a named model, takes the next free
        place in its family.

    Raises
    ------
    SurgeryError
        If a family is unknown.
    """
    for method, family in families.items():
        if family not in FAMILIES:
            raise SurgeryError(
                f"method {method!r} has family {family!r}; allowed: {', '.join(FAMILIES)}"
            )
    found = {}
    for name, family in FAMILIES.items():
        newcomers = [m for m, f in families.items() if f == name and m not in family.members]
        shades = _shades(name)
        for place, method in enumerate((*family.members, *newcomers)):
            if families.get(method) == name:
                marker = family.markers[place % len(family.markers)]
                # Each further round of markers begins with another shade.
                shade = shades[(place + place // len(family.markers)) % len(shades)]
                own = plotting().palette.get(method, shade)
                found[method] = Look(own, marker, family.dashes)
    return found


def _shades(family: str) -> tuple[str, ...]:
    """Return a family's colours, its own or the configuration's; of one colour, its tints."""
    given = plotting().palette.get(family, FAMILIES[family].shades)
    if not isinstance(given, str):
        return tuple(given)
    import seaborn as sns

    return tuple(sns.light_palette(given, _TINTS + 1, reverse=True).as_hex()[:_TINTS])


def save(figure: Figure, paths: Iterable[str | Path]) -> None:
    """Write `figure` to each path, in the format of its suffix (.pdf, .png or .svg).

    The same figure always gives the same bytes.

    Raises
    ------
    ValueError
        If a suffix is another.
    """
    settle(figure)
    for path in map(Path, paths):
        if path.suffix not in _METADATA:
            raise ValueError(f"cannot write {path}: allowed are {', '.join(_METADATA)}")
        with replacing(path) as temporary, applied():
            figure.savefig(temporary, metadata=_METADATA[path.suffix])


def settle(figure: Figure) -> None:
    """Lay a figure out for good.

    The solver of constrained layout ends with other last digits from run to run; they are cut off.
    """
    with applied():
        figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axis in figure.axes:
        axis.set_position(np.round(axis.get_position(original=True).bounds, _DECIMALS))
    for part in _parts(figure):
        for text in part.texts:
            text.set_position(np.round(text.get_position(), _DECIMALS))
        if part is not figure:
            places = part.bbox_relative
            places.p0, places.p1 = np.round(places.p0, _DECIMALS), np.round(places.p1, _DECIMALS)


def _parts(figure: FigureBase) -> Iterator[FigureBase]:
    """Yield a figure and all its parts."""
    yield figure
    for part in figure.subfigs:
        yield from _parts(part)
