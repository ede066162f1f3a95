"""Recovery against undersampling, for several numbers of latents and sparsities."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from sae_surgery.drawing import style
from sae_surgery.drawing.panels import (
    PANEL_HEIGHT,
    draw_map,
    facets,
    marks,
    page,
    plot_methods,
    set_metric_axis,
    spread,
)
from sae_surgery.machine.divergence import told_by
from sae_surgery.tables.answers import RECOVERED, decimals
from sae_surgery.tables.summary import PUBLISHED, pick, require, summarise, title_of

INPUTS = ("phase_transition",)
QUESTION = (
    "How many observations m do n latents need, k of them active, before each method recovers "
    "them? Mean over seeds, with bars of one standard deviation either side; the grey band is the "
    "mean and standard deviation of a random dictionary, the level of chance. In the heat maps "
    "each block is one (n, k), in which m grows to the right; a hatched cell is one the method "
    "could not run on."
)

_SWEEP = ("n_latents", "k", "obs_dim_factor")
_MAIN_METRIC = "mcc_id"
_HEAT_ROW = 0.09  # inches, a method


def draw(tables: Mapping[str, xr.Dataset]) -> dict[str, Figure]:
    """Draw MCC in distribution as lines, and all metrics as heat maps."""
    rows, diverged = numbers(tables), told_by(tables.values())
    with style.applied():
        return {
            "phase_transition": _draw_lines(rows, diverged),
            "phase_transition_all": _draw_heat(rows, diverged),
        }


def numbers(tables: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Give what is drawn, one row a method, cell and metric, with ``obs_dim`` m of each cell.

    The table must hold ``obs_dim`` over (n_latents, k, obs_dim_factor), 0 where there is no cell.
    A cell where no method has a value is left out too, and one that several factors name (where m
    is capped at n) is given once.
    """
    table = pick(tables, "phase_transition")
    require(table, "obs_dim")
    rows = summarise(table, _SWEEP)
    obs_dim = table["obs_dim"].reset_coords(drop=True).to_series()
    rows = rows.join(obs_dim, on=list(obs_dim.index.names))
    measured = rows.groupby(list(_SWEEP))["n_seeds"].transform("sum") > 0
    rows = rows[measured & (rows["obs_dim"] > 0)]
    cell = ["n_latents", "k", "obs_dim"]
    return rows.drop_duplicates(["method", *cell, "metric"], ignore_index=True)


def _draw_lines(rows: pd.DataFrame, diverged: Sequence[str]) -> Figure:
    """One panel for each (k, n): the metric against m, over the m that there are."""
    metrics = style.metrics("phase_transition", (_MAIN_METRIC,))
    rows = rows[rows["metric"].isin(metrics)]
    sparsities, widths = np.unique(rows["k"]), np.unique(rows["n_latents"])
    down = [(metric, k) for metric in metrics for k in sparsities]
    figure, part = page(
        len(down) * PANEL_HEIGHT,
        QUESTION,
        _answer(rows[rows["metric"] == metrics[0]]),
        note=spread(rows),
        marks=marks(rows, diverged),
        diverged=diverged,
    )
    names = [f"{title_of(metric).replace(', ', chr(10))}\nk = {k}" for metric, k in down]
    across = [f"n = {n}" for n in widths]
    axes = facets(part, names, across, "Number of observations m", sharey="row")
    for (metric, k), axes_row in zip(down, axes, strict=True):
        for n, axis in zip(widths, axes_row, strict=True):
            shown = rows[(rows["metric"] == metric) & (rows["k"] == k) & (rows["n_latents"] == n)]
            margin = 0.04 * shown["obs_dim"].max()
            axis.set_xlim(shown["obs_dim"].min() - margin, shown["obs_dim"].max() + margin)
            set_metric_axis(axis, metric, rows)
            plot_methods(axis, shown, "obs_dim", markersize=4)
    return figure


def _answer(rows: pd.DataFrame) -> str:
    """Say by what share of n each kind of method recovers, in the median over (n, k)."""
    score = title_of(rows["metric"].iloc[0]).replace(", ", " ") if len(rows) else "the score"
    rows = rows.assign(share=rows["obs_dim"] / rows["n_latents"])
    blocks = rows.groupby(["n_latents", "k"]).ngroups
    texts = []
    for family, name in (
        ("oracle", "the oracle"),
        ("sparse coding", "sparse coding"),
        ("sae", "an SAE"),
    ):
        good = rows[(rows["family"] == family) & (rows["mean"] >= RECOVERED)]
        first = good.groupby(["n_latents", "k"])["share"].min()
        if (rows["family"] == family).any():
            least = f" from m = {decimals(first.median())} n on in the median" if len(first) else ""
            texts.append(f"{name} in {len(first)} of {blocks} panels{least}")
    return f"{score} of at least {RECOVERED:g}: {'; '.join(texts)}."


def _draw_heat(rows: pd.DataFrame, diverged: Sequence[str]) -> Figure:
    """One heat map a metric: methods over cells, a block for each (n, k)."""
    n_methods = rows["method"].nunique()
    height = len(PUBLISHED) * (n_methods * _HEAT_ROW + 0.2) + 0.8
    answer = _answer(rows[rows["metric"] == _MAIN_METRIC])
    figure, part = page(height, QUESTION, answer, diverged=diverged)
    axes = part.subplots(len(PUBLISHED), 1, sharex=True)
    for metric, axis in zip(PUBLISHED, axes, strict=True):
        mesh = _draw_heat_map(axis, rows[rows["metric"] == metric])
        axis.set_title(title_of(metric))
    part.colorbar(
        mesh, ax=axes, location="bottom", aspect=60, shrink=0.6, pad=0.01, label="Mean over seeds"
    )
    return figure


def _draw_heat_map(axis: Axes, rows: pd.DataFrame) -> QuadMesh:
    """Fill `axis` with the means and return the mesh, for the colour bar."""
    methods = rows.drop_duplicates("method").set_index("method")
    order = list(style.looks(methods["family"].to_dict()))
    means = rows.pivot(index="method", columns=["n_latents", "k", "obs_dim"], values="mean")
    means = means.loc[order].sort_index(axis="columns")
    mesh = draw_map(axis, means, vmin=0, vmax=1, linewidth=0)
    axis.set_yticks(np.arange(len(order)) + 0.5, methods["title"][order], fontsize=6)
    blocks = means.columns.to_frame(index=False).groupby(["n_latents", "k"]).size()
    edges = np.concatenate([[0], np.cumsum(blocks)])
    axis.vlines(edges[1:-1], 0, len(order), color="white", linewidth=2)
    places = (edges[:-1] + edges[1:]) / 2
    axis.set_xticks(places, [f"n = {n}\nk = {k}" for n, k in blocks.index], fontsize=6)
    return mesh
