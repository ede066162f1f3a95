"""Metrics over a sweep: one panel a metric, one line a method, the chance level as a band."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.textpath import TextPath
from matplotlib.ticker import FixedLocator, MultipleLocator, NullLocator

from . import style
from .summary import METRICS, summarise

MAIN_METRICS = ("mcc_id", "auc_ood")

READING = (
    "Mean over seeds, with bars of one standard deviation either side; within a tinted column, all "
    "at one value, methods stand side by side. The grey band is the mean and standard deviation of "
    "a random dictionary, the level of chance."
)

_COLUMNS = 2  # in distribution on the left, out of distribution on the right
_PANEL_HEIGHT = 1.75  # inches
_ROW_HEIGHT = 0.121  # inches, a line of the legend
_MARK_WIDTH = 32  # points, a line's mark in the legend with its padding
_LETTERS = "abcdef"


def draw_main_and_all(table: xr.Dataset, stem: str, sweep: str) -> dict[str, Figure]:
    """Draw the main text's figure as `stem` and the appendix's, of all metrics, as ``<stem>_all``.

    Raises
    ------
    ValueError
        As `draw_sweep`.
    """
    return {
        stem: draw_sweep(table, sweep, MAIN_METRICS),
        f"{stem}_all": draw_sweep(table, sweep, tuple(METRICS)),
    }


def draw_sweep(table: xr.Dataset, sweep: str, metrics: Sequence[str]) -> Figure:
    """Draw `metrics` against the dimension `sweep`.

    Parameters
    ----------
    table
        A sweep table, see `summary.summarise`; its coordinate `sweep` has a ``long_name``.
    sweep
        The dimension on the horizontal axis, logarithmic if its values are geometric.
    metrics
        Which of `summary.METRICS`, in reading order.

    Raises
    ------
    ValueError
        If the table lacks a variable, a dimension or the sweep's ``long_name``.
    """
    rows = summarise(table, (sweep,))
    rows = rows[rows["metric"].isin(metrics)]
    if "long_name" not in table[sweep].attrs:
        raise ValueError(f"the coordinate {sweep} has no long_name")
    values = np.unique(rows[sweep]).astype(float)
    rows = rows.assign(position=side_by_side(rows, sweep))
    with style.applied():
        figure, axes = panels(
            rows,
            -(-len(metrics) // _COLUMNS),
            _COLUMNS,
            note="Within a tinted column, the methods stand side by side.",
        )
        for letter, metric, axis in zip(_LETTERS, metrics, axes.flat, strict=False):
            set_sweep_axis(axis, values)
            set_metric_axis(axis, metric, rows)
            plot_methods(axis, rows[rows["metric"] == metric], "position")
            axis.set_title(f"({letter}) {METRICS[metric]}")
        for axis in axes[-1]:
            axis.set_xlabel(table[sweep].attrs["long_name"])
    return figure


def panels(rows: pd.DataFrame, n_rows: int, n_columns: int, note: str) -> tuple[Figure, np.ndarray]:
    """Make empty panels over the text's width; below them the legend of all methods and a note."""
    families = rows.drop_duplicates("method")["family"]
    legend_height = (families.value_counts().max() + 2.7) * _ROW_HEIGHT  # heading, note and air
    height = n_rows * _PANEL_HEIGHT + legend_height
    figure = Figure(figsize=(style.TEXT_WIDTH, height), layout="constrained")
    top = legend_height / height
    figure.get_layout_engine().set(rect=(0, top, 1, 1 - top))
    _add_legend(figure, rows, top)
    seeds = rows["n_seeds"].max()
    spread = (
        f"Mean of {seeds} seed{'' if seeds == 1 else 's'}; bars and band: ± 1 standard deviation. "
    )
    figure.text(0.005, 0.04 / height, f"{spread}{note}", fontsize=6.5, color="0.35")
    return figure, figure.subplots(n_rows, n_columns, squeeze=False)


def _add_legend(figure: Figure, rows: pd.DataFrame, top: float) -> None:
    """One column a family, as wide as its longest name; a method without any value says so."""
    methods = rows.groupby("method", sort=False).agg(
        title=("title", "first"), family=("family", "first"), results=("n_seeds", "sum")
    )
    labels = methods["title"].where(methods["results"] > 0, methods["title"] + " (no result)")
    styles = style.line_styles(methods["family"].to_dict())
    columns = {
        family: [method for method in styles if methods["family"][method] == family]
        for family in style.FAMILIES
        if family in set(methods["family"])
    }
    widths = np.array(
        [
            max(_text_width(text) for text in (style.FAMILIES[family].label, *labels[names]))
            for family, names in columns.items()
        ]
    )
    widths += _MARK_WIDTH
    # Names too long for the page are set smaller rather than over one another.
    shrink = min(1, 72 * style.TEXT_WIDTH / widths.sum())
    gap = (1 - shrink * widths.sum() / (72 * style.TEXT_WIDTH)) / len(columns)
    left = 0
    for width, (family, names) in zip(widths, columns.items(), strict=True):
        size = shrink * style.LEGEND_SIZE
        figure.legend(
            [_legend_mark(family, styles[method]) for method in names],
            list(labels[names]),
            title=style.FAMILIES[family].label,
            title_fontproperties={"weight": "bold", "size": size},
            fontsize=size,
            alignment="left",
            loc="upper left",
            bbox_to_anchor=(left, top),
            borderaxespad=0,
            handlelength=2.6,
            labelspacing=0.25,
        )
        left += shrink * width / (72 * style.TEXT_WIDTH) + gap


def _text_width(text: str) -> float:
    font = FontProperties(weight="normal", size=style.LEGEND_SIZE)
    return TextPath((0, 0), text, prop=font).get_extents().width


def _legend_mark(family: str, line_style: dict) -> Line2D | Patch:
    if family == "chance":
        return Patch(facecolor=style.BAND_COLOUR)
    return Line2D([], [], **line_style)


def plot_methods(axis: Axes, rows: pd.DataFrame, x: str) -> None:
    """Draw every method of one metric against the column `x`; a missing value leaves a gap.

    The axis must have its horizontal limits, which the chance band fills.
    """
    families = rows.drop_duplicates("method").set_index("method")["family"]
    styles = style.line_styles(families.to_dict())
    series = {method: shown.sort_values(x) for method, shown in rows.groupby("method")}
    for place, (method, look) in enumerate(styles.items()):
        shown = series[method]
        if families[method] == "chance":
            _plot_band(axis, shown, x)
        else:
            # The oracle comes first in the legend and lies on top.
            order = 4 - place / len(styles)
            axis.errorbar(
                shown[x], shown["mean"], shown["sd"], elinewidth=0.8, zorder=order, **look
            )


def _plot_band(axis: Axes, shown: pd.DataFrame, x: str) -> None:
    left, right = axis.get_xlim()
    mean, sd = (np.pad(shown[name], 1, mode="edge") for name in ("mean", "sd"))
    # The outline keeps the band visible where the seeds agree to within a hair.
    axis.fill_between(
        [left, *shown[x], right],
        mean - sd,
        mean + sd,
        facecolor=style.BAND_COLOUR,
        edgecolor=style.BAND_COLOUR,
        linewidth=1.5,
    )


def is_geometric(values: np.ndarray) -> bool:
    """Whether sorted `values` belong on a logarithmic axis.

    They do when they span more than a factor of ten, or when their ratios are at least as even as
    their differences.
    """
    if len(values) < 2 or values[0] <= 0:
        return False
    return bool(values[-1] > 10 * values[0]) or _unevenness(np.log(values)) <= _unevenness(values)


def _unevenness(values: np.ndarray) -> float:
    steps = np.diff(values)
    return steps.std() / steps.mean()


def _moved(
    positions: np.ndarray | float, values: np.ndarray, steps: np.ndarray | float
) -> np.ndarray:
    """Move `positions` by so many times the smallest step between sweep values, as seen drawn."""
    if is_geometric(values):
        return positions * np.min(values[1:] / values[:-1]) ** steps
    return positions + steps * (np.diff(values).min() if len(values) > 1 else 1)


def side_by_side(rows: pd.DataFrame, sweep: str) -> pd.Series:
    """Where on the `sweep` axis each row is drawn, so that methods do not hide one another."""
    values = np.unique(rows[sweep]).astype(float)
    families = rows.drop_duplicates("method").set_index("method")["family"].to_dict()
    lines = [method for method in style.line_styles(families) if families[method] != "chance"]
    half = _spread(values) / 2 if len(lines) > 1 else 0
    steps = dict(zip(lines, np.linspace(-half, half, len(lines)), strict=True))
    return _moved(rows[sweep], values, rows["method"].map(steps).fillna(0))


def _spread(values: np.ndarray) -> float:
    """How wide the methods stand, in smallest steps between values: wide where there is room."""
    return 0.6 if len(values) < 4 else 0.4


def set_sweep_axis(axis: Axes, values: np.ndarray) -> None:
    """Scale, limits and ticks for the sorted sweep `values`, a tick and a tinted column at each."""
    axis.set_xscale("log" if is_geometric(values) else "linear")
    half = _spread(values) / 2 + 0.07
    for value in values:
        column = _moved(value, values, np.array([-half, half]))
        axis.axvspan(*column, color="0.965", linewidth=0, zorder=0)
    margin = half + 0.13
    axis.set_xlim(_moved(values[[0, -1]], values, np.array([-margin, margin])))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_locator(FixedLocator(values))
    axis.xaxis.set_major_formatter(lambda value, _: short_number(value))


def short_number(value: float) -> str:
    """Write thousands as k and millions as M when nothing is lost: 5000 is 5k, 1108 is 1108."""
    for unit, suffix in ((1_000_000, "M"), (1_000, "k")):
        if value >= unit and value % (unit / 10) == 0:
            return f"{value / unit:g}{suffix}"
    return f"{value:g}"


def set_metric_axis(axis: Axes, metric: str, rows: pd.DataFrame) -> None:
    """From 0 (MCC) or from one half (accuracy, AUC), lower if needed, to 1.

    The same metric in and out of distribution gets the same limits when `rows` holds both.
    """
    kind = metric.removesuffix("_id").removesuffix("_ood")
    alike = rows[rows["metric"].str.startswith(kind)]
    lowest = np.floor((alike["mean"] - alike["sd"]).min() * 10) / 10
    bottom = 0 if kind == "mcc" or np.isnan(lowest) else min(0.5, lowest)
    margin = 0.045 * (1 - bottom)  # room for the marks of a perfect method
    axis.set_ylim(bottom - margin, 1 + margin)
    axis.yaxis.set_major_locator(MultipleLocator(0.1 if bottom == 0.5 else 0.2))
