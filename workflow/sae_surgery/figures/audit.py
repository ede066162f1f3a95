"""What each published score becomes when one choice of its making is corrected."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sae_surgery.drawing import style
from sae_surgery.drawing.panels import draw_map, page
from sae_surgery.errors import SurgeryError
from sae_surgery.machine.divergence import told_by
from sae_surgery.tables.answers import decimals
from sae_surgery.tables.corrections import CORRECTIONS, SCORES
from sae_surgery.tables.summary import pick, require, summarise, title_of

INPUTS = ("audit",)
QUESTION = (
    "Which published scores change when their measurement is corrected? Each published score, its "
    "change when one choice of its making alone is corrected, and what all corrections together "
    "make of it. Mean over seeds; a row is a method, the last one chance: a random dictionary "
    "under sparse inference."
)

# The corrected one has a sign, so it is not called |cosine|.
NAMES = {score: title_of(score) for score in SCORES} | {
    "dictionary_mean_cosine": "Cosine to true atoms"
}
LABELS = {
    "published": "as\npublished",
    "no_padding": "nothing\npadded",
    "all_columns": "all\ncolumns\nmatched",
    "kept_pairs": "pairs kept\nfrom id",
    "held_out": "chosen on\nother\nsamples",
    "matched_column": "matched\ncolumn\nalone",
    "signs": "signs\ncount",
    "fresh_samples": "scored on\nfresh\nsamples",
    "strict_model": "learned\nfrom train\nalone",
    "strict": "all\ncorrected",
}
"""Corrections, by what the figure calls them."""

_MAIN = ("mcc_id", "mcc_ood")
_COLUMNS = 2
_ROW_HEIGHT = 0.105  # inches, a method
_AROUND = 0.58  # inches, title and labels of a panel
_COLOUR_MAP, _LARGEST_CHANGE = "PuOr_r", 0.5
_LARGE_CHANGE = 0.1  # of which the answer speaks

Tables = Mapping[str, xr.Dataset]


def draw(tables: Tables) -> dict[str, Figure]:
    """Draw MCC at every number of latents, and all scores at the largest."""
    rows, diverged = numbers(tables), told_by(tables.values())
    sizes = np.unique(rows["n_latents"])
    with style.applied():
        main = [(score, size) for size in sizes for score in style.metrics("audit", _MAIN)]
        every = [(score, sizes[-1]) for score in SCORES]
        return {
            "audit": _draw(rows, main, diverged),
            "audit_all": _draw(rows, every, diverged),
        }


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


def _draw(rows: pd.DataFrame, panels: Sequence[tuple[str, int]], diverged: Sequence[str]) -> Figure:
    """Draw a panel for each score and number of latents."""
    n_rows = math.ceil(len(panels) / _COLUMNS)
    height = n_rows * (rows["method"].nunique() * _ROW_HEIGHT + _AROUND)
    scores = {score for score, _ in panels}
    shown = rows[rows["metric"].isin(scores)]
    figure, part = page(height, QUESTION, _answer(shown), note=_note(shown), diverged=diverged)
    axes = part.subplots(n_rows, _COLUMNS, squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.remove()
    for place, ((score, size), axis) in enumerate(zip(panels, axes.flat, strict=False)):
        shown = rows[(rows["metric"] == score) & (rows["n_latents"] == size)]
        _fill(axis, shown, named=place % _COLUMNS == 0)
        axis.set_title(f"{NAMES[score]}, n = {size}")
    return figure


def _answer(rows: pd.DataFrame) -> str:
    """Say how many scores move far, and which correction moves one farthest."""
    total = rows[(rows["condition"] == "strict") & rows["change"].notna()]
    alone = rows[~rows["condition"].isin(["published", "strict"]) & rows["change"].notna()]
    if total.empty or alone.empty:
        return "There is no result."
    far = int((total["change"].abs() > _LARGE_CHANGE).sum())
    most = alone.loc[alone["change"].abs().idxmax()]
    label = LABELS[most["condition"]].replace("\n", " ")
    return (
        f"All corrections together move {far} of {len(total)} scores by more than "
        f"{_LARGE_CHANGE:g}. The largest change by one alone is {_text(most['change'], True)}: "
        f"{NAMES[most['metric']]} of {most['title']} at n = {most['n_latents']} ({label})."
    )


def _note(rows: pd.DataFrame) -> str:
    """Say what each column is."""
    there = [name for name in LABELS if name in set(rows["condition"])]
    meanings = (f"{LABELS[name]}: {CORRECTIONS[name].meaning}" for name in there[1:-1])
    return f"Between the first and last column, changes alone. {'. '.join(meanings)}."


def _fill(axis: Axes, rows: pd.DataFrame, named: bool) -> None:
    """Write the numbers of one score, changes on a ground that shows them."""
    methods = rows.drop_duplicates("method").set_index("method")
    order = list(style.looks(methods["family"].to_dict()))
    conditions = [name for name in LABELS if name in set(rows["condition"])]
    means, changes = (
        rows.pivot(index="method", columns="condition", values=value).loc[order, conditions]
        for value in ("mean", "change")
    )
    ends = [conditions[0], conditions[-1]]
    texts = changes.map(lambda value: _text(value, True))
    texts[ends] = means[ends].map(lambda value: _text(value, False))
    # Scores stand on the colour of no change.
    ground = changes.fillna(0).assign(**dict.fromkeys(ends, 0))
    limits = {"vmin": -_LARGEST_CHANGE, "vmax": _LARGEST_CHANGE}
    draw_map(axis, ground, annot=texts, fmt="", cmap=_COLOUR_MAP, linewidth=0.5, **limits)
    axis.set_xticks(np.arange(len(conditions)) + 0.5, [LABELS[name] for name in conditions])
    names = methods["title"][order] if named else [""] * len(order)
    axis.set_yticks(np.arange(len(order)) + 0.5, names)
    axis.tick_params(labelsize=6)


def _text(value: float, is_change: bool) -> str:
    if np.isnan(value):
        return "–"
    sign = "+" if is_change and round(value, 2) > 0 else ""
    return sign + decimals(value)
