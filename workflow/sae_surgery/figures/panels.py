"""Panels in which methods are lines and chance is a band, over a legend grouped by family."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.textpath import TextPath
from matplotlib.ticker import MultipleLocator

from sae_surgery.figures import style

_PANEL_HEIGHT = 1.75  # inches
_ROW_HEIGHT = 0.121  # inches, a line of the legend
_MARK_WIDTH = 32  # points, a line's mark in the legend with its padding


def panels(rows: pd.DataFrame, n_rows: int, n_columns: int, note: str) -> tuple[Figure, np.ndarray]:
    """Make empty panels over the text's width; below them the legend of all methods and a note."""
    largest_family = rows.groupby("family")["method"].nunique().max()
    legend_height = (largest_family + 2.7) * _ROW_HEIGHT  # with heading, note and air
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


def _add_legend(figure: Figure, rows: pd.DataFrame, top: float) -> None:
    """One column a family, as wide as its longest name; a method without any value says so."""
    columns = _legend_columns(rows)
    page = 72 * style.TEXT_WIDTH
    widths = [
        _MARK_WIDTH + max(map(_text_width, (family.label, *names))) for family, names, _ in columns
    ]
    # Names too long for the page are set smaller rather than over one another.
    shrink = min(1, page / sum(widths))
    gap = (page - shrink * sum(widths)) / len(columns)
    size = shrink * style.LEGEND_SIZE
    left = 0.0
    for width, (family, names, marks) in zip(widths, columns, strict=True):
        figure.legend(
            marks,
            names,
            title=family.label,
            title_fontproperties={"weight": "bold", "size": size},
            fontsize=size,
            alignment="left",
            loc="upper left",
            bbox_to_anchor=(left / page, top),
            borderaxespad=0,
            handlelength=2.6,
            labelspacing=0.25,
        )
        left += shrink * width + gap


def _legend_columns(
    rows: pd.DataFrame,
) -> list[tuple[style.Family, list[str], list[Line2D | Patch]]]:
    """Each family that is drawn, with the names and marks of its methods."""
    by_method = rows.groupby("method", sort=False)
    titles, has_values = by_method["title"].first(), by_method["n_seeds"].sum() > 0
    names = titles.where(has_values, titles + " (no result)")
    families = by_method["family"].first()
    looks = style.line_styles(families.to_dict())
    columns = []
    for key, family in style.FAMILIES.items():
        members = [method for method in looks if families[method] == key]
        if members:
            marks = [_legend_mark(key, looks[method]) for method in members]
            columns.append((family, list(names[members]), marks))
    return columns


def _text_width(text: str) -> float:
    """Width in points, in the legend's bolder weight, that of its headings."""
    font = FontProperties(family=style.FONT, weight="bold", size=style.LEGEND_SIZE)
    return TextPath((0, 0), text, prop=font).get_extents().width


def _legend_mark(family: str, line_style: dict) -> Line2D | Patch:
    if family == "chance":
        return Patch(facecolor=style.BAND_COLOUR)
    return Line2D([], [], **line_style)
