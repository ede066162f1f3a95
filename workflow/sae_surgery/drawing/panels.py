"""Panels in which methods are lines and chance is a band, over a legend grouped by family."""

import textwrap
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.textpath import TextPath
from matplotlib.ticker import MaxNLocator, MultipleLocator, NullLocator

from sae_surgery.drawing import style
from sae_surgery.machine.divergence import LEFT_OUT
from sae_surgery.metrics.measures.quantity import Quantity
from sae_surgery.tables.summary import quantity_of

_PANEL_HEIGHT = 1.75  # inches
_ROW_HEIGHT = 0.121  # inches, a line of the legend
_MARK_WIDTH = 32  # points, a line's mark in the legend with its padding
_HEAD_SIZE = 7.5  # points
_HEAD_LINE = 0.135  # inches
_NOTE = {"fontsize": 6.5, "color": "0.35"}
_NOTE_LINE = 0.112  # inches
_NOTE_LENGTH = 128  # characters of a line over the text's width
_MOST_LOSSES = 6  # that a figure names
_ANSWER_LENGTH = 122  # characters of a line over the text's width


@dataclass(frozen=True)
class Group:
    """One column of the legend: a heading over named marks."""

    label: str
    names: Sequence[str]
    marks: Sequence[Line2D | Patch]


def panels(
    rows: pd.DataFrame, n_rows: int, n_columns: int, note: str, diverged: Sequence[str]
) -> tuple[Figure, np.ndarray]:
    """Make empty panels over the text's width; below them the legend of all methods and notes."""
    figure = page(rows, n_rows * _PANEL_HEIGHT, note, diverged)
    return figure, figure.subplots(n_rows, n_columns, squeeze=False)


def page(
    rows: pd.DataFrame,
    panel_height: float,
    note: str,
    diverged: Sequence[str],
    *,
    question: str = "",
    answer: str = "",
    further: Sequence[Group] = (),
) -> Figure:
    """Make an empty figure over the text's width, its panels to fill `panel_height` inches.

    Above them stand a question and its answer, if any; below them the legend of all methods, with
    `further` columns, a note, and what `told_by` the tables has `diverged`.
    """
    lost = losses(diverged)
    lost_height = (lost.count("\n") + 1) * _NOTE_LINE if lost else 0
    groups = [*_families(rows, {said.split(" on ")[0] for said in diverged}), *further]
    longest = max(len(group.names) for group in groups)
    legend_height = (longest + 2.7) * _ROW_HEIGHT + lost_height  # with heading, notes and air
    answer = textwrap.fill(answer, _ANSWER_LENGTH)
    head_height = (answer.count("\n") + 2.6) * _HEAD_LINE if question else 0
    height = panel_height + legend_height + head_height
    figure = Figure(figsize=(style.TEXT_WIDTH, height), layout="constrained")
    bottom, top = legend_height / height, 1 - head_height / height
    figure.get_layout_engine().set(rect=(0, bottom, 1, top - bottom))
    _add_head(figure, question, answer)
    _add_legend(figure, groups, bottom)
    seeds = rows["n_seeds"].max()
    shown = "bars and band" if (rows["family"] == "chance").any() else "bars"
    spread = f"Mean of {seeds} seed{'' if seeds == 1 else 's'}; {shown}: ± 1 standard deviation. "
    figure.text(0.005, (0.04 + lost_height) / height, f"{spread}{note}", **_NOTE)
    if lost:
        figure.text(0.005, 0.03 / height, lost, va="bottom", **_NOTE)
    return figure


def add_losses(figure: Figure, diverged: Sequence[str]) -> None:
    """Write below a figure that is no `page` what `told_by` its tables has diverged."""
    if diverged:
        figure.supxlabel(losses(diverged), x=0.005, ha="left", **_NOTE)


def losses(diverged: Sequence[str]) -> str:
    """Return what diverged, in lines as wide as the page; nothing if nothing did."""
    if not diverged:
        return ""
    rest = len(diverged) - _MOST_LOSSES
    more = f"; and {rest} more, which the table names" if rest > 0 else ""
    told = f"{LEFT_OUT} {'; '.join(diverged[:_MOST_LOSSES])}{more}."
    return textwrap.fill(told, _NOTE_LENGTH)


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
    step = MultipleLocator(0.1) if bottom == 0.5 else MaxNLocator(6, steps=[1, 2, 5, 10])
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


def plot_methods(axis: Axes, rows: pd.DataFrame, x: str, **changes: Any) -> None:
    """Draw every method of one metric against the column `x`; a missing value leaves a gap.

    The axis must have its horizontal limits, which the chance band fills. `changes` replace parts
    of every line's look.
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
            look |= {"elinewidth": 0.8, "zorder": order} | changes
            axis.errorbar(shown[x], shown["mean"], shown["sd"], **look)


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


def _add_head(figure: Figure, question: str, answer: str) -> None:
    """Write the question, in bold, and the answer below it."""
    height = figure.get_figheight()
    for text, offset, weight in ((question, 0.05, "bold"), (answer, 0.05 + _HEAD_LINE, "normal")):
        figure.text(
            0.005, 1 - offset / height, text, va="top", fontsize=_HEAD_SIZE, fontweight=weight
        )


def _add_legend(figure: Figure, groups: Sequence[Group], top: float) -> None:
    """One column a group, as wide as its longest name."""
    page = 72 * style.TEXT_WIDTH
    widths = [_MARK_WIDTH + max(map(_text_width, (group.label, *group.names))) for group in groups]
    # Names too long for the page are set smaller rather than over one another.
    shrink = min(1, page / sum(widths))
    gap = (page - shrink * sum(widths)) / len(groups)
    size = shrink * style.LEGEND_SIZE
    left = 0.0
    for width, group in zip(widths, groups, strict=True):
        figure.legend(
            group.marks,
            group.names,
            title=group.label,
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


def _families(rows: pd.DataFrame, diverged: Collection[str]) -> list[Group]:
    """Each family that is drawn, with its methods; one without any value says so, and why."""
    by_method = rows.groupby("method", sort=False)
    titles, has_values = by_method["title"].first(), by_method["n_seeds"].sum() > 0
    why = np.where(titles.index.isin(list(diverged)), " (diverged)", " (no result)")
    names = titles.where(has_values, titles + why)
    families = by_method["family"].first()
    looks = style.line_styles(families.to_dict())
    groups = []
    for key, family in style.FAMILIES.items():
        members = [method for method in looks if families[method] == key]
        if members:
            marks = [_legend_mark(key, looks[method]) for method in members]
            groups.append(Group(family.label, list(names[members]), marks))
    return groups


def _text_width(text: str) -> float:
    """Width in points, in the legend's bolder weight, that of its headings."""
    font = FontProperties(family=style.FONT, weight="bold", size=style.LEGEND_SIZE)
    return TextPath((0, 0), text, prop=font).get_extents().width


def _legend_mark(family: str, line_style: dict) -> Line2D | Patch:
    if family == "chance":
        return Patch(facecolor=style.BAND_COLOUR)
    return Line2D([], [], **line_style)
