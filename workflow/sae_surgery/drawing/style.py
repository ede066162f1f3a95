"""How every figure looks, and how it is written to a file.

A family of methods has one hue, one line style and one kind of marker, so that it is told apart in
colour, by the colour-blind and in grey; the members of a family differ in lightness and marker.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from sae_surgery.errors import SurgeryError
from sae_surgery.machine.atomic import replacing

TEXT_WIDTH = 6.75  # inches, both columns of the page
FONT = "DejaVu Sans"  # comes with matplotlib: the same on every machine
LEGEND_SIZE = 7  # points
BAND_COLOUR = "0.82"

RC_PARAMS = {
    "font.family": FONT,
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
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
    "lines.markersize": 4,
    "legend.frameon": False,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,
    "svg.hashsalt": "sae-surgery",
}

# What would differ between two drawings of the same numbers: the time.
_METADATA = {".pdf": {"CreationDate": None}, ".png": {"Software": None}, ".svg": {"Date": None}}

_DECIMALS = 5  # of a figure's width and height


@dataclass(frozen=True)
class Family:
    """The common look of a family; its members take shades and markers in turn.

    Attributes
    ----------
    label
        Heading in the legend.
    members
        Methods with a reserved place, so that they look the same in every figure.
    shades, markers
        Colours from dark to light; matplotlib markers.
    linestyle, linewidth
        The line's dashes and its width in points.
    """

    label: str
    members: tuple[str, ...]
    shades: tuple[str, ...]
    markers: tuple[str, ...]
    linestyle: str | tuple
    linewidth: float = 1.1


FAMILIES = {
    "oracle": Family(
        "Oracle", ("fista_oracle", "lista_oracle"), ("#000000", "#555555"), ("s", "D"), "-", 1.7
    ),
    "sparse coding": Family(
        "Sparse coding",
        ("dl_fista", "softplus_adam", "dl_lista", "dl_scaled"),
        ("#08407e", "#1f78c8", "#5fa5e0"),
        ("o", "h", "p"),
        "-",
    ),
    "sae": Family(
        "Sparse autoencoder",
        ("sae_relu", "sae_topk", "sae_jumprelu", "sae_mp"),
        ("#7a2600", "#b8470a", "#dd6f12", "#eb9a45"),
        ("^", "v", "<", ">"),
        (0, (4, 1.5)),
    ),
    "linear": Family(
        "Linear",
        ("linear_probe", "pca", "raw"),
        ("#00604a", "#109a78", "#52b595"),
        ("X", "P", "d"),
        (0, (1, 1.3)),
    ),
    "chance": Family("Chance", ("random_dictionary",), (BAND_COLOUR,), ("",), "-"),
}


@contextmanager
def applied() -> Iterator[None]:
    """Draw in this style, whatever the user's own matplotlib settings, and restore them."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(RC_PARAMS)
        yield


def line_styles(families: Mapping[str, str]) -> dict[str, dict]:
    """Keyword arguments for the line of each method, in the order of the legend.

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
    styles = {}
    for name, family in FAMILIES.items():
        newcomers = [m for m, f in families.items() if f == name and m not in family.members]
        for place, method in enumerate((*family.members, *newcomers)):
            if families.get(method) == name:
                styles[method] = _line_style(family, place)
    return styles


def _line_style(family: Family, place: int) -> dict:
    # Each further round of markers starts at another shade, and when all are used up, marks that
    # were full are empty, so that of twice as many members no two look alike.
    colour = family.shades[(place + place // len(family.markers)) % len(family.shades)]
    turn, place_in_turn = divmod(place, len(family.markers) * len(family.shades))
    return {
        "color": colour,
        "linestyle": family.linestyle,
        "linewidth": family.linewidth,
        "marker": family.markers[place % len(family.markers)],
        "markeredgecolor": colour,
        "markerfacecolor": colour if (place_in_turn + turn) % 2 == 0 else "white",
        "markeredgewidth": 0.8,
    }


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
    for text in figure.texts:
        text.set_position(np.round(text.get_position(), _DECIMALS))
