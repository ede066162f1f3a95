"""Recovery of the dictionary against the number of latents and the samples to learn it from."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator, NullLocator

from sae_surgery.drawing import style
from sae_surgery.drawing.panels import (
    PANEL_HEIGHT,
    draw_map,
    facets,
    marks,
    page,
    plot_methods,
    spread,
)
from sae_surgery.drawing.sweep import short_number
from sae_surgery.machine.divergence import told_by
from sae_surgery.tables.answers import RECOVERED
from sae_surgery.tables.summary import pick, require, summarise, title_of

INPUTS = ("scaling",)
FIXED_METRICS = True
QUESTION = (
    "How many samples does it take to learn a dictionary of n atoms? |Cosine| of matched "
    "atoms and true columns, mean over atoms and seeds, against the number of latents n and the "
    "samples to learn from per latent; a hatched cell was left out. Left of the thick line codes "
    "and atoms are more numbers than are observed: fewer samples than n (m − 1) / (m − k). The "
    "best SAE is, in each cell, the best of those that were trained there."
)

_SWEEP = ("n_latents", "samples_per_latent")
_BOUND = "least_samples_per_latent"
_MAIN = "dictionary_mean_cosine"
_QUANTITIES = {
    _MAIN: "|Cosine|",
    "dictionary_share_above_090": "Share with\n|cosine| > 0.9",
    "mcc_ood": title_of("mcc_ood").replace(", ", "\n"),
}
_BEST_SAE = "Best SAE"
_MAP_HEIGHT = 0.24  # inches, a row
_ROOM = 1.5  # factor between labels
_LOOK = {"color": "0.2", "linestyle": (0, (3, 2)), "linewidth": 1.2}


def draw(tables: Mapping[str, xr.Dataset]) -> dict[str, Figure]:
    """Draw the cosine as a map for each learner, and more quantities as lines."""
    rows, diverged = numbers(tables), told_by(tables.values())
    with style.applied():
        return {"scaling": _draw_maps(rows, diverged), "scaling_all": _draw_lines(rows, diverged)}


def numbers(tables: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Give what is drawn, a row a method, cell and quantity, with the bound of the cell.

    ``least_samples_per_latent`` is (m − 1) / (m − k), see `sae_surgery.tables.layout`.
    """
    table = pick(tables, "scaling")
    require(table, _BOUND)
    rows = summarise(table, _SWEEP, tuple(_QUANTITIES))
    bound = table[_BOUND].reset_coords(drop=True).to_series()
    return rows.join(bound, on=list(bound.index.names))


def _draw_maps(rows: pd.DataFrame, diverged: Sequence[str]) -> Figure:
    """One map a learner: numbers of latents over samples per latent."""
    shown = rows[rows["metric"] == _MAIN]
    learners = _learners(shown)
    height = shown["n_latents"].nunique() * _MAP_HEIGHT + 0.8
    note = "Left of the thick line, more numbers are unknown than observed."
    figure, part = page(height, QUESTION, _answer(shown), note=note, diverged=diverged)
    across = list(learners)
    axes = facets(
        part, ["Number of latents n"], across, "Samples to learn from per latent", sharey=True
    )
    for axis, learner in zip(axes[0], learners.values(), strict=True):
        mesh = _draw_map(axis, learner)
    part.colorbar(mesh, ax=axes, aspect=12, pad=0.01, label=_QUANTITIES[_MAIN])
    return figure


def _answer(rows: pd.DataFrame) -> str:
    """Say how many samples per latent each learner needs, at each number of latents."""
    texts = []
    for title, shown in _learners(rows).items():
        title = title.replace("Best", "the best")
        first = shown[shown["mean"] >= RECOVERED].groupby("n_latents")["samples_per_latent"].min()
        if first.empty:
            texts.append(f"{title} more than {shown['samples_per_latent'].max():g}")
            continue
        needed = " to ".join(dict.fromkeys(f"{value:g}" for value in (first.min(), first.max())))
        sizes = shown["n_latents"].nunique()
        where = "every n" if len(first) == sizes else f"{len(first)} of {sizes} n"
        texts.append(f"{title} {needed} at {where}")
    return f"Samples per latent to a |cosine| of {RECOVERED:g}: {'; '.join(texts)}."


def _learners(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Give the rows of each sparse coder by its title, then those of the best SAE in each cell."""
    coders = rows[rows["family"] == "sparse coding"]
    learners = {title: shown for title, shown in coders.groupby("title", sort=False)}
    saes = rows[(rows["family"] == "sae") & rows["mean"].notna()]
    if len(saes):
        learners[_BEST_SAE] = saes.loc[saes.groupby(list(_SWEEP))["mean"].idxmax()]
    # All maps have the same cells.
    cells = rows[[*_SWEEP, _BOUND]].drop_duplicates()
    return {
        title: cells.merge(shown.drop(columns=_BOUND), "left", on=list(_SWEEP))
        for title, shown in learners.items()
    }


def _draw_map(axis: Axes, rows: pd.DataFrame) -> QuadMesh:
    """Fill `axis` with the means and return the mesh, for the colour bar."""
    means = rows.pivot(index="n_latents", columns="samples_per_latent", values="mean")
    means = means.sort_index(ascending=False)
    mesh = draw_map(axis, means, annot=True, fmt=".2f", vmin=0, vmax=1, linewidth=0.5)
    bounds = rows.drop_duplicates("n_latents").set_index("n_latents")[_BOUND][means.index]
    # Between the cells on either side of the bound, where there are no numbers.
    edges = np.searchsorted(means.columns, bounds)
    rows_edges = np.repeat(np.arange(len(edges) + 1), 2)[1:-1]
    axis.plot(np.repeat(edges, 2), rows_edges, color="white", linewidth=3)
    axis.plot(np.repeat(edges, 2), rows_edges, color="black", linewidth=1.5)
    axis.set_xticks(np.arange(means.shape[1]) + 0.5, [short_number(x) for x in means.columns])
    axis.set_yticks(np.arange(len(means)) + 0.5, [short_number(n) for n in means.index])
    return mesh


def _draw_lines(rows: pd.DataFrame, diverged: Sequence[str]) -> Figure:
    """Draw a row a quantity, a column a number of latents."""
    sizes = np.unique(rows["n_latents"])
    values = np.unique(rows["samples_per_latent"]).astype(float)
    figure, part = page(
        len(_QUANTITIES) * PANEL_HEIGHT,
        QUESTION,
        _answer(rows[rows["metric"] == _MAIN]),
        note=f"{spread(rows)} Dashed: as many unknowns as observations.",
        marks=marks(rows, diverged),
        diverged=diverged,
    )
    across = [f"n = {size}" for size in sizes]
    names = list(_QUANTITIES.values())
    axes = facets(part, names, across, "Samples to learn from per latent", sharex=True, sharey=True)
    for quantity, axes_row in zip(_QUANTITIES, axes, strict=True):
        for size, axis in zip(sizes, axes_row, strict=True):
            shown = rows[(rows["metric"] == quantity) & (rows["n_latents"] == size)]
            _set_axes(axis, values)
            axis.axvline(shown[_BOUND].iloc[0], **_LOOK)
            # Cells that a method was left out on would tear its line apart.
            plot_methods(axis, shown[shown["n_seeds"] > 0], "samples_per_latent", markersize=4)
    return figure


def _set_axes(axis: Axes, values: np.ndarray) -> None:
    axis.set_xscale("log")
    axis.set_xlim(values[0] / 1.25, values[-1] * 1.25)
    labelled = _apart(values)
    axis.set_xticks(values, [short_number(v) if v in labelled else "" for v in values])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_ylim(-0.045, 1.045)
    axis.yaxis.set_major_locator(MultipleLocator(0.25))


def _apart(values: np.ndarray) -> list[float]:
    """Return the values, from the first on, whose labels have room on a logarithmic axis."""
    labelled = [values[0]]
    for value in values[1:]:
        if value > _ROOM * labelled[-1]:
            labelled.append(value)
    return labelled
