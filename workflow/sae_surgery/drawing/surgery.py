"""Figures of the surgeries: a panel a number of latents, methods in it, oracle and chance beside.

Where a surgery has a sweep of its own, the horizontal axis is that sweep and lines join its steps;
otherwise the conditions stand on the axis, as points side by side.
"""

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from sae_surgery.drawing import style
from sae_surgery.drawing.panels import (
    facets,
    marks,
    page,
    plot_methods,
    set_metric_axis,
    set_values,
    spread,
)
from sae_surgery.drawing.sweep import is_geometric, short_number
from sae_surgery.errors import SurgeryError
from sae_surgery.machine.divergence import told_by
from sae_surgery.metrics.measures.quantity import Quantity
from sae_surgery.tables.summary import PUBLISHED, pick, quantity_of, require, summarise

Tables = Mapping[str, xr.Dataset]

READING = (
    "Mean over seeds, with bars of one standard deviation either side. Black is FISTA with the "
    "true dictionary, the ceiling; a grey band is the mean and standard deviation of a random "
    "dictionary, the level of chance."
)

_REFERENCES = ("oracle", "chance")
_HOLLOW = {"markerfacecolor": "white", "markeredgecolor": None, "markeredgewidth": 0.7}
_ROW_LABEL = 16  # characters that fit beside a small panel
_FEW_SIZES = 3  # numbers of latents, beside which conditions have room for their names
_SIZE_COLUMNS = 4  # at most
_MAIN_HEIGHT = 1.5  # inches, a panel of the main figure
_SMALL_HEIGHT = 0.8  # inches, a panel of the figure of everything
_SIZES_HEIGHT = 1.1  # inches, a panel against the number of latents
_DODGE = 0.6  # of the step between conditions, over which methods stand side by side


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
    main_conditions
        Those of the main figure; None for all.
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
    main_conditions: tuple[str, ...] | None = None
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
        chosen = style.metrics(self.experiment, ())
        return tuple(dict.fromkeys([*self.quantities, *self.by_size, *chosen]))


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
    """Draw a column a number of latents, a row a quantity, and one a condition of a sweep."""
    metrics = style.metrics(layout.experiment, (layout.main,))
    chosen = layout.main_conditions or tuple(layout.conditions)
    rows = _rows(table.sel(condition=list(chosen)), layout, metrics)
    groups = [[each] for each in chosen] if layout.step else [[*chosen]]
    down = [(metric, group) for metric in metrics for group in groups]
    figure, part = _page(table, rows, layout, len(down) * _MAIN_HEIGHT + 0.2)
    names = [_row_name(layout, metric) for metric, _ in down]
    if len(groups) > 1:
        conditions = [layout.conditions[group[0]] for _, group in down]
        names = [f"{first}\n{name}" for first, name in zip(conditions, names, strict=True)]
    _fill_grid(part, rows, layout, down, names, _step_name(table, layout))
    return figure


def _draw_all(table: xr.Dataset, layout: Layout) -> Figure:
    """Draw a row a quantity, a column a number of latents, and below what goes against that."""
    rows = _rows(table, layout, layout.quantities)
    n_size_rows = math.ceil(len(layout.by_size) / _SIZE_COLUMNS)
    heights = [len(layout.quantities) * _SMALL_HEIGHT + 0.25, n_size_rows * _SIZES_HEIGHT]
    heights = heights[: 1 + bool(layout.by_size)]
    figure, part = _page(table, rows, layout, sum(heights), all_conditions=True)
    parts = part.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    down = [(quantity, [*layout.conditions]) for quantity in layout.quantities]
    names = [_row_name(layout, quantity) for quantity in layout.quantities]
    _fill_grid(parts[0], rows, layout, down, names, _step_name(table, layout), small=True)
    if layout.by_size:
        _draw_by_size(parts[1], table, layout, n_size_rows)
    return figure


def _row_name(layout: Layout, quantity: str) -> str:
    name = layout.quantity(quantity).title
    return name.replace(", ", "\n") if ", " in name else textwrap.fill(name, _ROW_LABEL)


def _fill_grid(
    part: SubFigure,
    rows: pd.DataFrame,
    layout: Layout,
    down: Sequence[tuple[str, Sequence[str]]],
    names: Sequence[str],
    label: str,
    small: bool = False,
) -> None:
    """Fill a row for each quantity with its conditions, a column for each number of latents."""
    sizes = np.unique(rows["n_latents"])
    across = [f"n = {size}" for size in sizes]
    axes = facets(part, names, across, label, small=small, sharex=True, sharey="row")
    for (quantity, conditions), axes_row in zip(down, axes, strict=True):
        shown = rows[(rows["metric"] == quantity)]
        for size, axis in zip(sizes, axes_row, strict=True):
            _set_horizontal(axis, shown, layout)
            set_metric_axis(axis, quantity, shown, layout.quantity(quantity))
            _fill(axis, shown[shown["n_latents"] == size], layout, conditions)


def _fill(axis: Axes, rows: pd.DataFrame, layout: Layout, conditions: Sequence[str]) -> None:
    """Draw one quantity at one number of latents."""
    if layout.step is None:
        plot_methods(axis, rows, "place", _DODGE, joined=False)
        return
    # Steps that a method does not have would tear its line apart.
    rows = rows[rows["n_seeds"] > 0]
    for condition, look in zip(conditions, ({}, _HOLLOW), strict=False):
        lines = rows[rows["condition"] == condition]
        if look:
            references = _REFERENCES if layout.held else ("chance",)
            lines = lines[~lines["family"].isin(references)]
        plot_methods(axis, lines, layout.step, _DODGE, **({"markersize": 4} | look))


def _draw_by_size(part: SubFigure, table: xr.Dataset, layout: Layout, n_rows: int) -> None:
    """Draw what no condition changes, against the number of latents."""
    rows = summarise(table.isel(condition=0, drop=True), ("n_latents",), layout.by_size)
    values = np.unique(rows["n_latents"]).astype(float)
    n_columns = math.ceil(len(layout.by_size) / n_rows)
    axes = part.subplots(n_rows, n_columns, squeeze=False, sharex=True)
    for axis in axes.flat[len(layout.by_size) :]:
        axis.remove()
    for quantity, axis in zip(layout.by_size, axes.flat, strict=False):
        axis.set_xscale("log" if is_geometric(values) else "linear")
        set_values(axis, values, [*map(short_number, values)], _DODGE)
        set_metric_axis(axis, quantity, rows, layout.quantity(quantity))
        plot_methods(axis, rows[rows["metric"] == quantity], "n_latents", _DODGE, markersize=4)
        axis.set_title(_row_name(layout, quantity), fontsize=7)
        axis.tick_params(labelsize=6)
    part.supxlabel("Number of latents n", fontsize=7)


def _page(
    table: xr.Dataset,
    rows: pd.DataFrame,
    layout: Layout,
    height: float,
    all_conditions: bool = False,
) -> tuple[Figure, SubFigure]:
    diverged = told_by([table])
    entries = marks(rows, diverged)
    if all_conditions and layout.step and len(layout.conditions) > 1:
        entries.append(_condition_marks(layout))
    return page(
        height,
        layout.question,
        layout.answer(table),
        note=spread(rows) + ("" if layout.step else " Methods stand side by side."),
        marks=entries,
        diverged=diverged,
    )


def _condition_marks(layout: Layout) -> list[tuple[str, Line2D]]:
    """Say which look stands for which condition."""
    look = {"color": "0.3", "marker": style.FAMILIES["sae"].markers[0]}
    marked = (Line2D([], [], **(look | each)) for each in ({}, _HOLLOW))
    return list(zip(layout.conditions.values(), marked, strict=False))


def _rows(table: xr.Dataset, layout: Layout, quantities: tuple[str, ...]) -> pd.DataFrame:
    """Summarise what is drawn, and number the conditions by their `place`."""
    if layout.held:
        table = _hold_references(table, layout)
    rows = summarise(table, layout.sweep, quantities)
    places = {name: place for place, name in enumerate(table["condition"].values)}
    return rows.assign(place=rows["condition"].map(places))


def _hold_references(table: xr.Dataset, layout: Layout) -> xr.Dataset:
    """Give oracle and chance one level: a surgery that teaches them would move the yardstick."""
    first = {"condition": 0} | ({layout.step: 0} if layout.step else {})
    operated = ~table["family"].isin(_REFERENCES)
    values = table[list(layout.everything)]
    held = values.where(operated, values.isel(first, drop=True))
    return table.assign(held.data_vars)


def _set_horizontal(axis: Axes, rows: pd.DataFrame, layout: Layout) -> None:
    """Scale, limits and ticks; a step that starts at zero is linear up to its first value."""
    if layout.step is None:
        names = [layout.conditions[name] for name in dict.fromkeys(rows["condition"])]
        set_values(axis, range(len(names)), names, _DODGE)
        if rows["n_latents"].nunique() > _FEW_SIZES:
            axis.tick_params(axis="x", labelrotation=90)
        return
    steps = np.unique(rows[layout.step]).astype(float)
    first = next((step for step in steps if step > 0), 1.0)
    powers = 10.0 ** np.arange(math.ceil(math.log10(first)), 8)
    powers = powers[powers <= steps[-1] * 1.25]
    if steps[0] > 0:
        axis.set_xscale("log")
        axis.set_xlim(steps[0] / 1.4, steps[-1] * 1.4)
        ticks = powers
    else:
        axis.set_xscale("symlog", linthresh=first, linscale=0.5)
        axis.set_xlim(-0.4 * first, max(steps[-1], first) * 1.4)
        ticks = [0, *powers]
    axis.set_xticks(ticks, map(short_number, ticks))
    axis.xaxis.set_minor_locator(NullLocator())


def _step_name(table: xr.Dataset, layout: Layout) -> str:
    name = table[layout.step].attrs.get("long_name", layout.step) if layout.step else ""
    return name[:1].upper() + name[1:]
