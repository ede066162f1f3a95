"""Figures of the surgeries: a panel a number of latents, a line a method, oracle and chance beside.

Where a surgery has a sweep of its own, the horizontal axis is that sweep and each of its conditions
is a line; otherwise the conditions stand on the axis, joined by a line for each method.
"""

import math
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator

from sae_surgery.drawing import style
from sae_surgery.drawing.panels import Group, page, plot_methods, set_metric_axis
from sae_surgery.drawing.sweep import set_sweep_axis, short_number, side_by_side
from sae_surgery.errors import SurgeryError
from sae_surgery.machine.divergence import told_by
from sae_surgery.metrics.measures.quantity import Quantity
from sae_surgery.tables.summary import PUBLISHED, pick, quantity_of, require, summarise

Tables = Mapping[str, xr.Dataset]

READING = (
    "Mean over seeds, with bars of one standard deviation either side. The black line is FISTA "
    "with the true dictionary, the ceiling; a grey band is the mean and standard deviation of a "
    "random dictionary, the level of chance."
)

_REFERENCES = ("oracle", "chance")
_SECOND_LOOK = {"marker": "", "linestyle": "-", "linewidth": 0.8}
_MAIN_COLUMNS = 3
_ROW_LABEL = 20  # characters that fit beside a panel
_STEP_LABEL = 34  # characters that fit below a panel
_SIZE_COLUMNS = 4  # at most
_MAIN_HEIGHT = 1.75  # inches, a panel of the main figure
_SMALL_HEIGHT = 0.95  # inches, a panel of the figure of everything
_SIZES_HEIGHT = 1.15  # inches, a panel against the number of latents


@dataclass(frozen=True)
class Layout:
    """What one surgery's figures show.

    Attributes
    ----------
    experiment
        The table, which is also the stem of the figures.
    question
        The caption; what ends at its first question mark is the figure's heading.
    answer
        From the table, the sentence below that heading.
    conditions
        Those drawn, in order, by what the figure calls them.
    step
        Dimension on the horizontal axis; None puts the conditions there.
    main
        The quantity of the main figure.
    quantities
        All that is drawn over the horizontal axis.
    by_size
        What is drawn against the number of latents instead, of the first condition.
    held
        Whether oracle and chance keep the value that they have at the first condition and step.
    diagnostics
        By name, what is drawn of the surgery's own `diagnostics`, which no metric describes.
    """

    experiment: str
    question: str
    answer: Callable[[xr.Dataset], str]
    conditions: Mapping[str, str]
    step: str | None = None
    main: str = "mcc_ood"
    quantities: tuple[str, ...] = PUBLISHED
    by_size: tuple[str, ...] = ()
    held: bool = True
    diagnostics: Mapping[str, Quantity] = field(default_factory=dict)

    def quantity(self, name: str) -> Quantity:
        """Return what a quantity is called and how its axis is scaled."""
        return self.diagnostics.get(name) or quantity_of(name)

    @property
    def sweep(self) -> tuple[str, ...]:
        """Dimensions of the table between method and seed."""
        return ("condition", "n_latents", *([self.step] if self.step else []))

    @property
    def everything(self) -> tuple[str, ...]:
        """All quantities of both figures."""
        return (*self.quantities, *self.by_size)


def surgery_figure(
    layout: Layout,
) -> tuple[Callable[[Tables], dict[str, Figure]], Callable[[Tables], pd.DataFrame]]:
    """Return `draw` and `numbers` of the figure of one surgery.

    Both raise a SurgeryError if the table is missing or lacks a variable or condition.
    """

    def draw(tables: Tables) -> dict[str, Figure]:
        table = _checked(tables, layout)
        with style.applied():
            return {
                layout.experiment: _draw_main(table, layout),
                f"{layout.experiment}_all": _draw_all(table, layout),
            }

    def numbers(tables: Tables) -> pd.DataFrame:
        return summarise(_checked(tables, layout), layout.sweep, layout.everything)

    return draw, numbers


def _checked(tables: Tables, layout: Layout) -> xr.Dataset:
    """Return the table, with the conditions that are drawn in their order."""
    table = pick(tables, layout.experiment)
    require(table, "method", "title", "family", *layout.sweep, *layout.everything)
    lacking = [name for name in layout.conditions if name not in table["condition"]]
    if lacking:
        raise SurgeryError(f"the table has no condition {', '.join(lacking)}")
    return table.sel(condition=list(layout.conditions))


def _draw_main(table: xr.Dataset, layout: Layout) -> Figure:
    """One quantity, a panel a number of latents."""
    rows = _rows(table, layout, (layout.main,))
    sizes = np.unique(rows["n_latents"])
    n_columns = min(_MAIN_COLUMNS, len(sizes))
    n_rows = math.ceil(len(sizes) / n_columns)
    figure = _page(table, rows, layout, n_rows * _MAIN_HEIGHT)
    axes = figure.subplots(n_rows, n_columns, squeeze=False)
    for axis in axes.flat[len(sizes) :]:
        axis.set_visible(False)
    for size, axis in zip(sizes, axes.flat, strict=False):
        _fill(axis, rows, layout, layout.main, size)
        axis.set_title(f"n = {size}")
        if layout.step:
            axis.set_xlabel(textwrap.fill(_step_name(table, layout), _STEP_LABEL))
        elif n_columns == _MAIN_COLUMNS:
            axis.tick_params(axis="x", labelsize=6)
    for axis in axes[:, 0]:
        axis.set_ylabel(_two_lines(layout, layout.main))
    return figure


def _draw_all(table: xr.Dataset, layout: Layout) -> Figure:
    """Draw a row a quantity, a column a number of latents, and below what goes against that."""
    rows = _rows(table, layout, layout.quantities)
    sizes = np.unique(rows["n_latents"])
    n_rows, n_size_rows = len(layout.quantities), math.ceil(len(layout.by_size) / _SIZE_COLUMNS)
    heights = [n_rows * _SMALL_HEIGHT, n_size_rows * _SIZES_HEIGHT][: 1 + bool(layout.by_size)]
    figure = _page(table, rows, layout, sum(heights))
    blocks = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    axes = blocks[0].subgridspec(n_rows, len(sizes)).subplots(squeeze=False, sharex=True)
    for quantity, axes_row in zip(layout.quantities, axes, strict=True):
        for size, axis in zip(sizes, axes_row, strict=True):
            _fill(axis, rows, layout, quantity, size)
            axis.tick_params(labelsize=6, labelleft=axis is axes_row[0])
        axes_row[0].set_ylabel(_two_lines(layout, quantity), fontsize=6)
    for size, axis in zip(sizes, axes[0], strict=True):
        axis.set_title(f"n = {size}")
    _label_row(axes[-1], table, layout)
    if layout.by_size:
        n_columns = math.ceil(len(layout.by_size) / n_size_rows)
        lower = blocks[1].subgridspec(n_size_rows, n_columns).subplots(squeeze=False)
        _draw_by_size(lower, table, layout)
    figure.align_ylabels(axes[:, 0])
    return figure


def _two_lines(layout: Layout, quantity: str) -> str:
    name = layout.quantity(quantity).title
    return name.replace(", ", "\n") if ", " in name else textwrap.fill(name, _ROW_LABEL)


def _draw_by_size(axes: np.ndarray, table: xr.Dataset, layout: Layout) -> None:
    """Draw what no condition changes, against the number of latents."""
    rows = summarise(table.isel(condition=0, drop=True), ("n_latents",), layout.by_size)
    rows = rows.assign(position=side_by_side(rows, "n_latents"))
    for axis in axes.flat[len(layout.by_size) :]:
        axis.set_visible(False)
    for quantity, axis in zip(layout.by_size, axes.flat, strict=False):
        set_sweep_axis(axis, np.unique(rows["n_latents"]).astype(float))
        shown = rows[rows["metric"] == quantity]
        set_metric_axis(axis, quantity, rows, layout.quantity(quantity))
        plot_methods(axis, shown, "position", markersize=3)
        axis.set_title(layout.quantity(quantity).title, fontsize=7)
        axis.tick_params(labelsize=6)
    for axis in axes[-1]:
        axis.set_xlabel("Number of latents n", fontsize=7)


def _page(table: xr.Dataset, rows: pd.DataFrame, layout: Layout, height: float) -> Figure:
    question, mark, _ = layout.question.partition("?")
    two_looks = layout.step is not None and len(layout.conditions) > 1
    return page(
        rows,
        height,
        note="" if layout.step else "Methods stand side by side.",
        diverged=told_by([table]),
        question=question + mark,
        answer=layout.answer(table),
        further=[_start_legend(layout)] if two_looks else [],
    )


def _start_legend(layout: Layout) -> Group:
    """Say which look stands for which condition."""
    family = style.FAMILIES["sae"]
    example = {"color": "0.3", "linestyle": family.linestyle, "marker": family.markers[0]}
    marks = [Line2D([], [], **(example | look)) for look in _looks(layout).values()]
    return Group("Condition", list(layout.conditions.values()), marks)


def _looks(layout: Layout) -> dict[str, dict]:
    """Give what each condition changes in the look of a method's line."""
    return dict(zip(layout.conditions, ({}, _SECOND_LOOK), strict=False))


def _rows(table: xr.Dataset, layout: Layout, quantities: tuple[str, ...]) -> pd.DataFrame:
    """Summarise what is drawn, and give each row its horizontal `position`."""
    if layout.held:
        table = _hold_references(table, layout)
    rows = summarise(table, layout.sweep, quantities)
    if layout.step:
        return rows.assign(position=rows[layout.step])
    places = {condition: place for place, condition in enumerate(layout.conditions)}
    rows = rows.assign(place=rows["condition"].map(places))
    return rows.assign(position=side_by_side(rows, "place"))


def _hold_references(table: xr.Dataset, layout: Layout) -> xr.Dataset:
    """Give oracle and chance one level: a surgery that teaches them would move the yardstick."""
    first = {"condition": 0} | ({layout.step: 0} if layout.step else {})
    operated = ~table["family"].isin(_REFERENCES)
    values = table[list(layout.everything)]
    held = values.where(operated, values.isel(first, drop=True))
    return table.assign(held.data_vars)


def _fill(axis: Axes, rows: pd.DataFrame, layout: Layout, quantity: str, size: int) -> None:
    """Draw one quantity at one number of latents."""
    rows = rows[rows["metric"] == quantity]
    _set_horizontal(axis, rows, layout)
    set_metric_axis(axis, quantity, rows, layout.quantity(quantity))
    shown = rows[rows["n_latents"] == size]
    if layout.step is None:
        plot_methods(axis, shown, "position")
        return
    for condition, look in _looks(layout).items():
        lines = shown[shown["condition"] == condition]
        if look:
            references = _REFERENCES if layout.held else ("chance",)
            lines = lines[~lines["family"].isin(references)]
        plot_methods(axis, _measured(lines), "position", **({"markersize": 2.5} | look))


def _measured(rows: pd.DataFrame) -> pd.DataFrame:
    """Leave out the steps that a method does not have, which would tear its line apart."""
    return rows[rows["n_seeds"] > 0]


def _set_horizontal(axis: Axes, rows: pd.DataFrame, layout: Layout) -> None:
    """Scale, limits and ticks; a step that starts at zero is linear up to its first value."""
    if layout.step is None:
        set_sweep_axis(axis, np.arange(len(layout.conditions), dtype=float))
        axis.set_xticklabels(layout.conditions.values())
        return
    steps = np.unique(rows[layout.step]).astype(float)
    if steps[0] > 0:
        axis.set_xscale("log")
        axis.set_xlim(steps[0] / 1.25, steps[-1] * 1.25)
        axis.xaxis.set_major_locator(LogLocator(10))
    else:
        first = steps[1] if len(steps) > 1 else 1
        axis.set_xscale("symlog", linthresh=first, linscale=0.5)
        axis.set_xlim(-0.25 * first, max(steps[-1], first) * 1.25)
        powers = 10.0 ** np.arange(7)
        axis.xaxis.set_major_locator(FixedLocator([0, *powers[powers >= first]]))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(lambda value, _: short_number(value))


def _label_row(axes: np.ndarray, table: xr.Dataset, layout: Layout) -> None:
    """Label the lowest of small panels: their names are wider than they are."""
    if layout.step:
        axes[0].set_xlabel(_step_name(table, layout), fontsize=6, loc="left")
    elif len(axes) > _MAIN_COLUMNS:
        for axis in axes:
            axis.tick_params(axis="x", labelrotation=90)


def _step_name(table: xr.Dataset, layout: Layout) -> str:
    name = table[layout.step].attrs.get("long_name", layout.step)
    return name[:1].upper() + name[1:]
