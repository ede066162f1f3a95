"""What each published score becomes when one choice of its making is corrected."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sae_surgery.drawing import style
from sae_surgery.drawing.panels import add_losses
from sae_surgery.errors import SurgeryError
from sae_surgery.machine.divergence import told_by
from sae_surgery.tables.answers import decimals
from sae_surgery.tables.corrections import CORRECTIONS, SCORES
from sae_surgery.tables.summary import pick, require, summarise, title_of

INPUTS = ("audit",)
QUESTION = (
    "Which scores measure the ruler? Each published score, its change when one choice of its "
    "making alone is corrected, and what all corrections together make of it. Mean over seeds; a "
    "row is a method, the last one chance: a random dictionary under sparse inference."
)

# The corrected one has a sign, so it is not called |cosine|.
NAMES = {score: title_of(score) for score in SCORES} | {
    "dictionary_mean_cosine": "Cosine to true atoms"
}
LABELS = {
    "published": "published",
    "no_padding": "no\npadding",
    "all_columns": "all\ncolumns",
    "kept_pairs": "pairs\nof id",
    "held_out": "held\nout",
    "matched_column": "matched\ncolumn",
    "signs": "signs",
    "fresh_samples": "fresh\nsamples",
    "strict_model": "strict\nmodel",
    "strict": "all",
}
"""Corrections, by what the figure calls them."""

_MAIN = ("mcc_id", "mcc_ood")
_COLUMNS = 2
_ROW_HEIGHT = 0.125  # inches, a method
_AROUND = 0.62  # inches, title and labels of a panel
_COLOUR_MAP, _LARGEST_CHANGE = "PuOr_r", 0.5
_PLAIN = "0.94"

Tables = Mapping[str, xr.Dataset]


def draw(tables: Tables) -> dict[str, Figure]:
    """Draw MCC at every number of latents, and all scores at the largest."""
    rows, diverged = numbers(tables), told_by(tables.values())
    sizes = np.unique(rows["n_latents"])
    with style.applied():
        main = [(score, size) for size in sizes for score in _MAIN]
        every = [(score, sizes[-1]) for score in SCORES]
        drawn = {"audit": _draw(rows, main), "audit_all": _draw(rows, every)}
        for figure in drawn.values():
            add_losses(figure, diverged)
        return drawn


def numbers(tables: Tables) -> pd.DataFrame:
    """Give mean and spread of each score by correction, and the mean's `change` from published.

    What a correction does not touch is left out.

    Raises
    ------
    SurgeryError
        If the table is missing or lacks a variable or correction.
    """
    table = pick(tables, "audit")
    require(table, "condition", *SCORES)
    lacking = [name for name in CORRECTIONS if name not in table["condition"]]
    if lacking:
        raise SurgeryError(f"the table has no condition {', '.join(lacking)}")
    rows = summarise(table, ("condition", "n_latents"), SCORES)
    place = ["method", "n_latents", "metric"]
    published = rows[rows["condition"] == "published"].set_index(place)["mean"]
    rows = rows.join(published.rename("published"), on=place)
    rows = rows.assign(change=rows["mean"] - rows["published"]).drop(columns="published")
    touched = {(name, score) for name, each in CORRECTIONS.items() for score in each.scores}
    pairs = zip(rows["condition"], rows["metric"], strict=True)
    return rows[[pair in touched for pair in pairs]].reset_index(drop=True)


def _draw(rows: pd.DataFrame, panels: Sequence[tuple[str, int]]) -> Figure:
    """Draw a panel for each score and number of latents."""
    n_rows = math.ceil(len(panels) / _COLUMNS)
    height = n_rows * (rows["method"].nunique() * _ROW_HEIGHT + _AROUND) + 0.3
    figure = Figure(figsize=(style.TEXT_WIDTH, height), layout="constrained")
    question = QUESTION.partition("?")[0] + "?"
    figure.suptitle(question, x=0.005, ha="left", fontsize=7.5, fontweight="bold")
    axes = figure.subplots(n_rows, _COLUMNS, squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    for place, ((score, size), axis) in enumerate(zip(panels, axes.flat, strict=False)):
        shown = rows[(rows["metric"] == score) & (rows["n_latents"] == size)]
        _fill(axis, shown, named=place % _COLUMNS == 0)
        axis.set_title(f"{NAMES[score]}, n = {size}")
    return figure


def _fill(axis: Axes, rows: pd.DataFrame, named: bool) -> None:
    """Write the numbers of one score, changes on a ground that shows them."""
    methods = rows.drop_duplicates("method").set_index("method")
    order = list(style.line_styles(methods["family"].to_dict()))
    conditions = [name for name in LABELS if name in set(rows["condition"])]
    means, changes = (
        rows.pivot(index="method", columns="condition", values=value).loc[order, conditions]
        for value in ("mean", "change")
    )
    middle = changes.iloc[:, 1:-1]
    extent = (0.5, len(conditions) - 1.5, len(order) - 0.5, -0.5)
    axis.set_facecolor(_PLAIN)
    axis.imshow(
        middle,
        cmap=_COLOUR_MAP,
        vmin=-_LARGEST_CHANGE,
        vmax=_LARGEST_CHANGE,
        extent=extent,
        aspect="auto",
    )
    for column, condition in enumerate(conditions):
        is_change = condition in middle
        values = (changes if is_change else means)[condition]
        for row, value in enumerate(values):
            strong = is_change and abs(value) > 0.7 * _LARGEST_CHANGE
            text = _text(value, is_change)
            colour = "white" if strong else "black"
            axis.text(column, row, text, ha="center", va="center", fontsize=6, color=colour)
    axis.set_xlim(-0.5, len(conditions) - 0.5)
    axis.set_ylim(len(order) - 0.5, -0.5)
    axis.grid(False)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0, labelsize=6)
    axis.set_xticks(range(len(conditions)), [LABELS[name] for name in conditions])
    axis.set_yticks(range(len(order)), methods["title"][order] if named else [""] * len(order))


def _text(value: float, is_change: bool) -> str:
    if np.isnan(value):
        return "–"
    sign = "+" if is_change and round(value, 2) > 0 else ""
    return sign + decimals(value)
