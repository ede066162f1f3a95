"""Panels in which methods are lines or points and chance is a band, between a head and a legend."""

import textwrap
from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure, SubFigure
from matplotlib.font_manager import FontProperties
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, MultipleLocator, NullLocator

from sae_surgery.drawing import style
from sae_surgery.machine.divergence import LEFT_OUT
from sae_surgery.metrics.measures.quantity import Quantity
from sae_surgery.tables.summary import quantity_of

PANEL_HEIGHT = 1.8
"""Inches of a panel with its title."""

COLOUR_MAP = "cividis"
"""Even in lightness, for the colour-blind and for grey."""

_HEAD_SIZE = 7.5  # points
_NOTE_SIZE = 6.5  # points
_CELL_SIZE = 6  # points, a number in a heat map
_MOST_LOSSES = 6  # that a figure names
_LONGEST_LINE = 200  # characters
_LONGEST_NAME = 40  # characters of a line of the legend
_MOST_COLUMNS = 6  # of the legend
_MARGIN = 0.15  # inches that text leaves free
_MANY = 14  # values, from which on points are not drawn one by one

_FINE = 10  # pixels a point: at few, letters are moved to whole ones
_RULER = RendererAgg(1, 1, 72 * _FINE)

Mark = tuple[str, Line2D | Patch]


def page(
    height: float,
    question: str,
    answer: str,
    *,
    note: str = "",
    marks: Sequence[Sequence[Mark]] = (),
    diverged: Sequence[str] = (),
) -> tuple[Figure, SubFigure]:
    """Make an empty figure, and the part of it that panels are to fill.

    Parameters
    ----------
    height
        Of that part, in inches.
    question, answer
        The head, none without a question. What follows the question mark is left out.
    marks
        Entries of the legend, in groups that stay together where there is room.
    note
        What stands above the legend, or alone.
    diverged
        What `told_by` the tables has, which is added to the note.
    """
    figure = Figure(figsize=(style.plotting().inches, height), layout="constrained")
    ends = []
    if question and style.plotting().titles:
        bold = FontProperties(family=style.plotting().font, size=_HEAD_SIZE, weight="bold")
        head = fitted(question.partition("?")[0] + "?", bold)
        ends.append(_legend(figure, "upper", [[_text(answer)]], head, bold))
    plain = FontProperties(family=style.plotting().font, size=_NOTE_SIZE)
    notes = "\n".join(fitted(text, plain) for text in (note, losses(diverged)) if text)
    if notes or marks:
        ends.append(_legend(figure, "lower", marks, notes, plain))
    figure.set_figheight(height + sum(end.get_window_extent().height for end in ends) / figure.dpi)
    return figure, figure.subfigures()


def losses(diverged: Sequence[str]) -> str:
    """Return what diverged in a sentence; nothing if nothing did."""
    if not diverged:
        return ""
    rest = len(diverged) - _MOST_LOSSES
    more = f"; and {rest} more, which the table names" if rest > 0 else ""
    return f"{LEFT_OUT} {'; '.join(diverged[:_MOST_LOSSES])}{more}."


def spread(rows: pd.DataFrame) -> str:
    """Return what is drawn of the seeds, as the note of a figure."""
    seeds = rows["n_seeds"].max()
    return f"Mean of {seeds} seed{'' if seeds == 1 else 's'} ± 1 standard deviation."


def marks(rows: pd.DataFrame, diverged: Collection[str] = ()) -> list[list[Mark]]:
    """Return the legend's entries of all methods, by family; one without any value says why."""
    methods = rows.groupby("method").agg({"title": "first", "family": "first", "n_seeds": "sum"})
    lost = {said.split(" on ")[0] for said in diverged}
    groups: dict[str, list[Mark]] = {}
    for method, look in style.looks(methods["family"].to_dict()).items():
        title, family, n_seeds = methods.loc[method]
        why = "" if n_seeds else " (diverged)" if method in lost else " (no result)"
        name = textwrap.fill(title + why, _LONGEST_NAME)
        groups.setdefault(family, []).append((name, _mark(family, look)))
    return [*groups.values()]


def facets(
    part: SubFigure,
    down: Sequence[str],
    across: Sequence[str],
    label: str,
    small: bool = False,
    **sharing: Any,
) -> np.ndarray:
    """Return axes by row and column: rows are named at the left, columns above, all below."""
    axes = part.subplots(len(down), len(across), squeeze=False, **sharing)
    for axis, name in zip(axes[:, 0], down, strict=True):
        axis.set_ylabel(name, fontsize=6 if small else 7)
    for axis, name in zip(axes[0], across, strict=True):
        axis.set_title(name)
    for axis in axes.flat:
        axis.tick_params(labelsize=6 if small else 7)
    if label:
        part.supxlabel(label)
    part.align_ylabels(axes[:, 0])
    return axes


def plot_methods(
    axis: Axes, rows: pd.DataFrame, x: str, dodge: float = 0, joined: bool = True, **look: Any
) -> None:
    """Draw every method of one metric against the column `x`; chance is a band.

    The axis must have its horizontal scale and limits.

    Parameters
    ----------
    rows
        As `summarise` gives them, of one metric.
    dodge
        Share of the smallest step between values over which methods stand side by side.
    joined
        Whether a line joins a method's points; where a value is missing, there is a gap.
    look
        What replaces a part of all lines' look.
    """
    import seaborn as sns

    _plot_chance(axis, rows[rows["family"] == "chance"], x)
    rows = rows[rows["family"] != "chance"]
    if rows.empty:
        return
    looks = style.looks(rows.set_index("method")["family"].to_dict())
    labels = {"xlabel": axis.get_xlabel(), "ylabel": axis.get_ylabel()}
    shared = {
        "data": _ends(rows),
        "x": x,
        "y": "value",
        "hue": "method",
        "hue_order": list(looks),
        "palette": {method: each.color for method, each in looks.items()},
        "errorbar": _BOTH_ENDS,
        "legend": False,
        "ax": axis,
    }
    look = {"markersize": 5, "markeredgecolor": "white", "markeredgewidth": 0.3} | look
    few = rows[x].nunique() < _MANY
    if few and not _has_holes(rows, x):
        sns.pointplot(
            **shared,
            markers=[each.marker for each in looks.values()],
            linestyles=[each.linestyle for each in looks.values()] if joined else "none",
            dodge=dodge if len(looks) > 1 else False,
            native_scale=True,
            err_kws={"linewidth": 0.8},
            linewidth=1.1,
            **look,
        )
    else:
        sns.lineplot(
            **shared,
            style="method",
            markers={method: each.marker for method, each in looks.items()},
            dashes={method: each.dashes for method, each in looks.items()} if joined else False,
            err_style="bars" if few else "band",
            markevery=None if few else 0.15,
            linestyle="-" if joined else "none",
            **look,
        )
    # Seaborn names axes by columns.
    axis.set(**labels)


def _has_holes(rows: pd.DataFrame, x: str) -> bool:
    """Return whether a method has no row between two of its own where another one has."""
    values = rows[x].drop_duplicates()
    methods = rows.groupby("method")[x]
    return any(values.between(own.min(), own.max()).sum() > own.nunique() for _, own in methods)


_BOTH_ENDS = ("pi", 100)


def _ends(rows: pd.DataFrame) -> pd.DataFrame:
    """Return two values a row, a standard deviation below and above the mean.

    What seaborn makes of them is our mean, and, from the least to the largest, our spread.
    """
    low, high = (rows.assign(value=rows["mean"] + sign * rows["sd"]) for sign in (-1, 1))
    return pd.concat([low, high], ignore_index=True)


def _plot_chance(axis: Axes, rows: pd.DataFrame, x: str) -> None:
    """Fill the width of the axis with the band of each random dictionary."""
    left, right = axis.get_xlim()
    for method, shown in rows.sort_values(x).groupby("method"):
        mean, sd = (np.pad(shown[name], 1, mode="edge") for name in ("mean", "sd"))
        colour = style.looks({method: "chance"})[method].color
        # The outline keeps the band visible where the seeds agree to within a hair.
        places = [left, *shown[x], right]
        axis.fill_between(places, mean - sd, mean + sd, color=colour, linewidth=1.5)


def draw_map(axis: Axes, values: pd.DataFrame, **how: Any) -> QuadMesh:
    """Fill `axis` with a heat map, hatched where there is no value, and return its mesh.

    Further arguments are those of `seaborn.heatmap`.
    """
    import seaborn as sns

    look = {"cmap": COLOUR_MAP, "cbar": False, "annot_kws": {"size": _CELL_SIZE}}
    labels = {"xlabel": axis.get_xlabel(), "ylabel": axis.get_ylabel()}
    sns.heatmap(values, ax=axis, xticklabels=False, yticklabels=False, **(look | how))
    axis.patch.set(facecolor="0.93", edgecolor="0.75", hatch="//////", linewidth=0)
    axis.tick_params(length=0)
    axis.set(**labels)
    return axis.collections[0]


def set_values(axis: Axes, values: Sequence[float], labels: Sequence[str], dodge: float) -> None:
    """Set horizontal limits and ticks at `values`, on a ground as wide as methods stand there.

    The axis must have its horizontal scale.
    """
    scale = axis.xaxis.get_transform()
    places = scale.transform(np.asarray(values, float))
    half = 0.5 * (dodge + 0.1) * (np.diff(places).min() if len(places) > 1 else 1)
    for place in places:
        ground = scale.inverted().transform(np.array([place - half, place + half]))
        axis.axvspan(*ground, color="0.965", linewidth=0, zorder=0)
    ends = np.array([places[0] - 1.5 * half, places[-1] + 1.5 * half])
    axis.set_xlim(scale.inverted().transform(ends))
    axis.set_xticks(values, labels)
    axis.xaxis.set_minor_locator(NullLocator())


def set_metric_axis(
    axis: Axes, metric: str, rows: pd.DataFrame, quantity: Quantity | None = None
) -> None:
    """Scale, limits and ticks, as the metric's `Quantity.axis` asks, or that of another quantity.

    The same metric in and out of distribution gets the same limits when `rows` holds both.
    """
    kind = metric.removesuffix("_id").removesuffix("_ood")
    alike = rows[rows["metric"].isin([kind, f"{kind}_id", f"{kind}_ood"])]
    how = (quantity or quantity_of(metric)).axis
    if how == "count":
        positive = alike["mean"][alike["mean"] > 0]
        axis.set_yscale("log")
        axis.yaxis.set_minor_locator(NullLocator())
        if len(positive):
            axis.set_ylim(positive.min() / 1.5, positive.max() * 1.5)
        return
    lowest, highest = (alike["mean"] - alike["sd"]).min(), (alike["mean"] + alike["sd"]).max()
    bottom, top = _limits(how, lowest, highest)
    margin = 0.045 * (top - bottom)  # room for the marks of a perfect method
    axis.set_ylim(bottom - margin, top + margin)
    step = MultipleLocator(0.1) if bottom == 0.5 else MaxNLocator("auto", steps=[1, 2, 5, 10])
    axis.yaxis.set_major_locator(step)


def _limits(how: str, lowest: float, highest: float) -> tuple[float, float]:
    """Return the limits of an axis for values up to a standard deviation away, or for NaN."""
    if np.isnan(lowest):
        return 0.0, 1.0
    if how == "chance":
        return min(0.5, np.floor(lowest * 10) / 10), 1.0
    # Bars may reach below 0 where the values do not.
    bottom = min(0.0, np.floor(lowest * 10) / 10) if lowest < -0.1 else 0.0
    return bottom, 1.0 if how == "share" else max(highest, bottom + 1e-9)


def fitted(text: str, font: FontProperties) -> str:
    """Break text into lines no wider than the page."""
    room = 72 * (style.plotting().inches - _MARGIN)
    lines = (textwrap.fill(text, length) for length in range(_LONGEST_LINE, 10, -2))
    return next(filled for filled in lines if _width(filled, font) <= room)


def _width(text: str, font: FontProperties) -> float:
    """Return the width in points of the widest line."""
    sizes = (_RULER.get_text_width_height_descent(line, font, False) for line in text.split("\n"))
    return max(width for width, _, _ in sizes) / _FINE


def _legend(
    figure: Figure, place: str, groups: Sequence[Sequence[Mark]], title: str, font: FontProperties
) -> Legend:
    """Place a legend above or below the panels: a column a group, or else as many as fit."""
    looks = {"handlelength": 2.6} if place == "lower" else {"handlelength": 0, "handletextpad": 0}
    for entries, n_columns in _arrangements(groups):
        legend = figure.legend(
            [mark for _, mark in entries],
            [name for name, _ in entries],
            title=title or None,
            title_fontproperties=font,
            prop=FontProperties(family=style.plotting().font, size=_HEAD_SIZE - (place == "lower")),
            loc=f"outside {place} left",
            ncols=n_columns,
            alignment="left",
            labelspacing=0.25,
            borderaxespad=0.2,
            borderpad=0.1,
            **looks,
        )
        if n_columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            break
        legend.remove()
    legend.get_title().set_color("black" if place == "upper" else "0.35")
    return legend


def _arrangements(groups: Sequence[Sequence[Mark]]) -> Iterator[tuple[list[Mark], int]]:
    """Yield entries of a legend, down its columns, with the number of columns."""
    longest = max(map(len, groups), default=1)
    for n_rows in range(min(4, longest), longest + 1):
        # Groups begin at the top of a column.
        filled = [
            [*group, *[("", Line2D([], [], alpha=0))] * (-len(group) % n_rows)] for group in groups
        ]
        yield list(chain(*filled)), max(1, sum(map(len, filled)) // n_rows)
    for n_columns in range(_MOST_COLUMNS, 0, -1):
        yield list(chain(*groups)), n_columns


def _text(text: str) -> Mark:
    """Return an entry of a legend that is text alone."""
    font = FontProperties(family=style.plotting().font, size=_HEAD_SIZE)
    return fitted(text, font), Line2D([], [], alpha=0)


def _mark(family: str, look: style.Look) -> Line2D | Patch:
    if family == "chance":
        return Patch(facecolor=look.color)
    shown = {"color": look.color, "marker": look.marker, "markeredgecolor": "white"}
    return Line2D([], [], **shown, linestyle=look.linestyle)
