"""Figures of answers, narrow enough to be read on a telephone."""

import base64
import io
import textwrap
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sae_surgery.drawing import style
from sae_surgery.pages.examination.findings import Given
from sae_surgery.pages.examination.tables import title_of

WIDTH = 4.2  # inches
_LINE = 0.27  # inches, a condition
_LABEL_LENGTH = 28  # characters of a line
COLOURS = {
    "encoder": "#b8470a",
    "decoder": "#b8470a",
    "from_encoder": "#b8470a",
    "refitted": "#dd6f12",
    "gradient": "#eb9a45",
    "omp": "#08407e",
    "exchanged": "#08407e",
    "lasso": "#5fa5e0",
    "lasso_refitted": "#1f78c8",
    "gradient_pursuit": "#3c6ea5",
    "prior": "#000000",
    "scratch": "#08407e",
    "started": "#1f78c8",
    "from_zero": "0.55",
    "learned": "#08407e",
    "random": "0.65",
    "samples": "0.45",
    "pca": "#109a78",
    "dense": "#109a78",
}
_OTHER = "#555555"
_MARKERS = ("o", "s", "^", "D", "v", "P")


def figure(given: Given) -> str | None:
    """Return the figure of an answer as PNG in base 64; None if there is none for it."""
    draw = _DRAWN.get(given.name)
    if draw is None or given.skipped or given.rows.empty:
        return None
    with style.applied():
        drawn = draw(given)
    if drawn is None:
        return None
    style.settle(drawn)
    held = io.BytesIO()
    with style.applied():
        drawn.savefig(held, format="png", dpi=220, metadata={"Software": None})
    return base64.b64encode(held.getvalue()).decode()


def _encoder(given: Given) -> Figure | None:
    return _dots(given, [("explained_variance", "explained variance")])


def _labels(given: Given) -> Figure | None:
    return _dots(given, [("auc", "AUC"), ("f1", "F1")])


def _stability(given: Given) -> Figure | None:
    return _dots(given, [("matched_cosine", "mean cosine of matched atoms")])


def _dots(given: Given, shown: Sequence[tuple[str, str]]) -> Figure | None:
    """Draw numbers with their intervals, a line a condition, a panel a quantity."""
    rows = given.rows[given.rows["at"].isna() & given.rows["quantity"].isin([q for q, _ in shown])]
    if rows.empty:
        return None
    names = list(dict.fromkeys(rows["condition"]))
    drawn = Figure(figsize=(WIDTH, 0.75 + _LINE * len(names)), layout="constrained")
    panels = drawn.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    splits = list(dict.fromkeys(rows["split"]))
    for axes, (quantity, label) in zip(panels, shown, strict=True):
        for place, split in enumerate(splits):
            some = rows[(rows["quantity"] == quantity) & (rows["split"] == split)]
            at = [names.index(name) + 0.18 * place for name in some["condition"]]
            colours = [COLOURS.get(name, _OTHER) for name in some["condition"]]
            _bars(axes, some, at)
            axes.scatter(some["value"], at, color=colours, marker=_MARKERS[place], s=16, zorder=3)
            axes.scatter(
                [], [], color="0.3", marker=_MARKERS[place], s=16, label=_split(given, split)
            )
        axes.set_xlabel(label)
        axes.grid(axis="x")
    panels[0].set_yticks(range(len(names)), [_label(title_of(given, name)) for name in names])
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    if len(splits) > 1:
        drawn.legend(*panels[0].get_legend_handles_labels(), loc="outside lower right", ncols=2)
    return drawn


def _bars(axes: Axes, rows: pd.DataFrame, at: Sequence[float]) -> None:
    for low, high, height in zip(rows["low"], rows["high"], at, strict=True):
        if np.isfinite(low):
            axes.plot([low, high], [height, height], color="0.4", linewidth=1)


def _split(given: Given, split: str) -> str:
    return given.question.splits.get(split, split)


def _label(text: str) -> str:
    return textwrap.fill(text, _LABEL_LENGTH)


def _decoder(given: Given) -> Figure | None:
    return _curves(given, "explained_variance", "explained variance", "active atoms", scale="log")


def _curves(
    given: Given, quantity: str, label: str, along: str, scale: str = "linear"
) -> Figure | None:
    rows = given.rows[given.rows["at"].notna() & (given.rows["quantity"] == quantity)]
    if rows.empty:
        return None
    names = list(dict.fromkeys(rows["condition"]))
    drawn = Figure(figsize=(WIDTH, 2.5 + 0.15 * len(names)), layout="constrained")
    axes = drawn.subplots()
    for place, (name, some) in enumerate(rows.groupby("condition", sort=False)):
        alone = len(some) == 1
        axes.plot(
            some["at"],
            some["value"],
            color=COLOURS.get(name, _OTHER),
            marker="*" if alone else _MARKERS[place % len(_MARKERS)],
            markersize=9 if alone else 4,
            linestyle="none" if alone else ":" if name == "pca" else "-",
            zorder=3 if alone else 2,
            label=title_of(given, name),
        )
        if np.isfinite(some["low"]).any():
            axes.fill_between(
                some["at"], some["low"], some["high"], color=COLOURS.get(name, _OTHER), alpha=0.15
            )
    if scale == "log":
        axes.set_xscale("log", base=2)
        places = sorted(set(rows.loc[rows["condition"] != "encoder", "at"]))
        axes.set_xticks(places, [f"{place:g}" for place in places])
        axes.minorticks_off()
    axes.set_xlabel(along)
    axes.set_ylabel(label)
    drawn.legend(loc="outside lower left", ncols=1)
    return drawn


def _planted(given: Given) -> Figure | None:
    """Draw F1 of each way to recover codes, a panel without noise and one with it."""
    rows = given.rows[(given.rows["quantity"] == "f1") & given.rows["at"].notna()]
    if rows.empty:
        return None
    names = list(dict.fromkeys(rows["condition"]))
    splits = list(dict.fromkeys(rows["split"]))
    drawn = Figure(figsize=(WIDTH, 2.6 + 0.15 * len(names)), layout="constrained")
    panels = drawn.subplots(1, 2, sharey=True)
    for axes, (noise, title) in zip(panels, ((0, "without noise"), (1, "with noise")), strict=True):
        for place, name in enumerate(names):
            some = rows[(rows["condition"] == name) & (rows["at"] == noise)].set_index("split")
            some = some.reindex([split for split in splits if split in some.index])
            at = np.array([splits.index(split) for split in some.index]) + 0.08 * place - 0.12
            colour = COLOURS.get(name, _OTHER)
            for x, low, high in zip(at, some["low"], some["high"], strict=True):
                axes.plot([x, x], [low, high], color=colour, linewidth=1)
            axes.plot(
                at,
                some["value"],
                color=colour,
                marker=_MARKERS[place],
                linewidth=0.7,
                label=title_of(given, name),
            )
        axes.set_title(title)
        axes.set_xticks(range(len(splits)), [_split(given, split) for split in splits], rotation=20)
        axes.set_ylim(0, 1.02)
    panels[0].set_ylabel("F1 of the support")
    handles, labels = panels[1].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower left", ncols=1)
    return drawn


def _health(given: Given) -> Figure | None:
    """Draw quantiles of rates, and of cosines with the nearest atom."""
    rows = given.rows[given.rows["at"].notna()]
    drawn = Figure(figsize=(WIDTH, 2.4), layout="constrained")
    panels = drawn.subplots(1, 2)
    for axes, quantity, label in (
        (panels[0], "rate", "share of rows, active"),
        (panels[1], "nearest", "cosine, nearest atom"),
    ):
        for name, some in rows[rows["quantity"] == quantity].groupby("condition", sort=False):
            axes.plot(
                some["at"],
                some["value"],
                marker="o",
                color=COLOURS.get(name, _OTHER),
                label="decoder" if name == "decoder" else "random",
            )
        axes.set_xlabel("quantile of atoms")
        axes.set_title(label)
    if (rows.loc[rows["quantity"] == "rate", "value"] > 0).any():
        panels[0].set_yscale("symlog", linthresh=1e-4)
        panels[0].set_ylim(bottom=0)
    panels[1].legend()
    return drawn


_DRAWN: dict[str, Callable[[Given], Figure | None]] = {
    "encoder": _encoder,
    "decoder": _decoder,
    "planted": _planted,
    "health": _health,
    "stability": _stability,
    "labels": _labels,
}
"""What draws the answer to a question; one without has its tables alone."""
