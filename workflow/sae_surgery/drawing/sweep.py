"""Metrics over a sweep: one panel a metric, one line a method, the chance level as a band."""

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from sae_surgery.drawing import style
from sae_surgery.drawing.panels import (
    PANEL_HEIGHT,
    marks,
    page,
    plot_methods,
    set_metric_axis,
    set_values,
    spread,
)
from sae_surgery.errors import SurgeryError
from sae_surgery.machine.divergence import told_by
from sae_surgery.tables.answers import recovery
from sae_surgery.tables.summary import PUBLISHED, pick, summarise, title_of

MAIN_METRICS = ("mcc_id", "auc_ood")

RECOVERED = ("mcc_id", "mcc_ood")
RECOVERY = (
    *RECOVERED,
    *(f"{name}_{split}" for name in ("latent_f1", "explained_variance") for split in ("id", "ood")),
)
"""Metrics of laws of data that the paper does not have."""

READING = (
    "Mean over seeds, with bars of one standard deviation either side; within a tinted column, all "
    "at one value, methods stand side by side. The grey band is the mean and standard deviation of "
    "a random dictionary, the level of chance."
)

_COLUMNS = 2  # in distribution on the left, out of distribution on the right
_LABEL_LENGTH = 45  # characters that fit below a panel
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_DODGE = 0.5  # of the smallest step between values

Tables = Mapping[str, xr.Dataset]
Answer = Callable[[xr.Dataset], str]


def sweep_figure(
    experiment: str,
    sweep: str,
    main: Sequence[str] = MAIN_METRICS,
    every: Sequence[str] = PUBLISHED,
    name: str | None = None,
    question: str = "",
) -> tuple[Callable[[Tables], dict[str, Figure]], Callable[[Tables], pd.DataFrame]]:
    """Return `draw` and `numbers` of the figure of one experiment over one sweep variable.

    The main text's figure shows the metrics `main` and has a name, the experiment's if no other is
    given; that of `every` metric has `_all` appended. Both have the `question` on top, and what
    the first metric answers.
    Both functions raise a SurgeryError as `draw_sweep` does.
    """
    stem = name or experiment

    def draw(tables: Tables) -> dict[str, Figure]:
        table = pick(tables, experiment)
        shown = style.metrics(stem, main)
        return {
            stem: draw_sweep(table, sweep, shown, question),
            f"{stem}_all": draw_sweep(table, sweep, every, question),
        }

    def numbers(tables: Tables) -> pd.DataFrame:
        every_one = dict.fromkeys([*every, *style.metrics(stem, main)])
        return summarise(pick(tables, experiment), (sweep,), tuple(every_one))

    return draw, numbers


def draw_sweep(table: xr.Dataset, sweep: str, metrics: Sequence[str], question: str = "") -> Figure:
    """Draw `metrics` against the dimension `sweep`.

    Parameters
    ----------
    table
        A sweep table, see `summary.summarise`; its coordinate `sweep` has a ``long_name``.
    sweep
        The dimension on the horizontal axis, logarithmic if its values are geometric.
    metrics
        Names of metrics, in reading order.
    question
        What stands above, with what the first of the metrics answers.

    Raises
    ------
    SurgeryError
        If the table is not such a table.
    """
    rows = _say_where_alone(summarise(table, (sweep,), metrics), sweep)
    if "long_name" not in table[sweep].attrs:
        raise SurgeryError(f"the coordinate {sweep} has no long_name")
    name = table[sweep].attrs["long_name"]
    values = np.unique(rows[sweep]).astype(float)
    n_rows = math.ceil(len(metrics) / _COLUMNS)
    diverged = told_by([table])
    with style.applied():
        figure, part = page(
            n_rows * PANEL_HEIGHT,
            question,
            recovery(table, sweep, metrics[0]),
            note=f"{spread(rows)} Within a tinted column, the methods stand side by side.",
            marks=marks(rows, diverged),
            diverged=diverged,
        )
        axes = part.subplots(n_rows, min(_COLUMNS, len(metrics)), squeeze=False)
        for axis in axes.flat[len(metrics) :]:
            axis.remove()
        for letter, metric, axis in zip(_LETTERS, metrics, axes.flat, strict=False):
            axis.set_xscale("log" if is_geometric(values) else "linear")
            set_values(axis, values, [*map(short_number, values)], _DODGE)
            set_metric_axis(axis, metric, rows)
            plot_methods(axis, rows[rows["metric"] == metric], sweep, _DODGE)
            axis.set_title(f"({letter}) {title_of(metric)}")
        part.supxlabel(textwrap.fill(name[:1].upper() + name[1:], 2 * _LABEL_LENGTH))
    return figure


def _say_where_alone(rows: pd.DataFrame, sweep: str) -> pd.DataFrame:
    """Add to the title of a method with one value, which no line shows, where that is."""
    known = rows[rows["n_seeds"] > 0].groupby("method")[sweep]
    alone = known.first()[(known.nunique() == 1) & (rows[sweep].nunique() > 1)]
    said = {method: f" (only at {short_number(value)})" for method, value in alone.items()}
    where = [said.get(method, "") for method in rows["method"]]
    return rows.assign(title=rows["title"] + where)


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


def short_number(value: float) -> str:
    """Write thousands as k and millions as M when nothing is lost: 5000 is 5k, 1108 is 1108."""
    for unit, suffix in ((1_000_000, "M"), (1_000, "k")):
        if value >= unit and value % (unit / 10) == 0:
            return f"{value / unit:g}{suffix}"
    return f"{value:g}"
