"""Metrics over a sweep: one panel a metric, one line a method, the chance level as a band."""

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from sae_surgery.drawing import style
from sae_surgery.drawing.panels import panels, plot_methods, set_metric_axis
from sae_surgery.errors import SurgeryError
from sae_surgery.machine.divergence import told_by
from sae_surgery.tables.summary import PUBLISHED, pick, summarise, title_of

MAIN_METRICS = ("mcc_id", "auc_ood")

READING = (
    "Mean over seeds, with bars of one standard deviation either side; within a tinted column, all "
    "at one value, methods stand side by side. The grey band is the mean and standard deviation of "
    "a random dictionary, the level of chance."
)

_COLUMNS = 2  # in distribution on the left, out of distribution on the right
_LABEL_LENGTH = 45  # characters that fit below a panel
_LETTERS = "abcdefghij"


Tables = Mapping[str, xr.Dataset]


def sweep_figure(
    experiment: str,
    sweep: str,
    main: Sequence[str] = MAIN_METRICS,
    every: Sequence[str] = PUBLISHED,
    name: str | None = None,
) -> tuple[Callable[[Tables], dict[str, Figure]], Callable[[Tables], pd.DataFrame]]:
    """Return `draw` and `numbers` of the figure of one experiment over one sweep variable.

    The main text's figure shows the metrics `main` and has a name, the experiment's if no other is
    given; that of `every` metric has `_all` appended.
    Both functions raise a SurgeryError as `draw_sweep` does.
    """

    def draw(tables: Tables) -> dict[str, Figure]:
        table = pick(tables, experiment)
        return {
            name or experiment: draw_sweep(table, sweep, main),
            f"{name or experiment}_all": draw_sweep(table, sweep, every),
        }

    def numbers(tables: Tables) -> pd.DataFrame:
        return summarise(pick(tables, experiment), (sweep,), every)

    return draw, numbers


def draw_sweep(table: xr.Dataset, sweep: str, metrics: Sequence[str]) -> Figure:
    """Draw `metrics` against the dimension `sweep`.

    Parameters
    ----------
    table
        A sweep table, see `summary.summarise`; its coordinate `sweep` has a ``long_name``.
    sweep
        The dimension on the horizontal axis, logarithmic if its values are geometric.
    metrics
        Names of metrics, in reading order.

    Raises
    ------
    SurgeryError
        If the table is not such a table.
    """
    rows = summarise(table, (sweep,), metrics)
    if "long_name" not in table[sweep].attrs:
        raise SurgeryError(f"the coordinate {sweep} has no long_name")
    name = table[sweep].attrs["long_name"]
    values = np.unique(rows[sweep]).astype(float)
    rows = rows.assign(position=side_by_side(rows, sweep))
    with style.applied():
        figure, axes = panels(
            rows,
            math.ceil(len(metrics) / _COLUMNS),
            _COLUMNS,
            note="Within a tinted column, the methods stand side by side.",
            diverged=told_by([table]),
        )
        for letter, metric, axis in zip(_LETTERS, metrics, axes.flat, strict=False):
            set_sweep_axis(axis, values)
            set_metric_axis(axis, metric, rows)
            plot_methods(axis, rows[rows["metric"] == metric], "position")
            axis.set_title(f"({letter}) {title_of(metric)}")
        for axis in axes[-1]:
            axis.set_xlabel(textwrap.fill(name[:1].upper() + name[1:], _LABEL_LENGTH))
    return figure


def is_geometric(values: np.ndarray) -> bool:
    """Whether sorted `values` belong on a logarithmic axis.

    They do when they span more than a factor of ten, or when their ratios are at least as even as
    their differences.
    """
    if len(values) < 2 or values[0] <= 0:
        return False
    wide = values[-1] > 10 * values[0]
    return bool(wide or _unevenness(np.log(values)) <= _unevenness(values))


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
