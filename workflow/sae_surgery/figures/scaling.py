"""Recovery of the dictionary against the number of latents and the samples to learn it from."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MultipleLocator, NullLocator

from sae_surgery.drawing import style
from sae_surgery.drawing.panels import losses, panels, plot_methods
from sae_surgery.drawing.sweep import short_number
from sae_surgery.machine.divergence import told_by
from sae_surgery.tables.summary import pick, require, summarise, title_of

INPUTS = ("scaling",)
QUESTION = (
    "How many samples does it take to learn a dictionary of n atoms? |Cosine| of matched "
    "atoms and true columns, mean over atoms and seeds, against the number of latents n and the "
    "samples to learn from per latent; a hatched cell was left out. Left of the dashed line codes "
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
_COLOUR_MAP = "cividis"  # even in lightness, for the colour-blind and for grey
_DARK_BELOW = 0.55  # values in whose colour a number is written white
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
    rows = rows[rows["metric"] == _MAIN]
    learners = _learners(rows)
    n_sizes = rows["n_latents"].nunique()
    height = n_sizes * _MAP_HEIGHT + 1.15
    figure = Figure(figsize=(style.TEXT_WIDTH, height), layout="constrained")
    axes = figure.subplots(1, len(learners), sharey=True, squeeze=False)[0]
    for axis, (title, shown) in zip(axes, learners.items(), strict=True):
        mesh = _draw_map(axis, shown)
        axis.set_title(title)
    axes[0].set_ylabel("Number of latents n")
    below = ["Samples to learn from per latent", *filter(None, [losses(diverged)])]
    figure.supxlabel("\n".join(below), fontsize=8)
    figure.colorbar(mesh, ax=axes, aspect=12, pad=0.01, label=_QUANTITIES[_MAIN])
    return figure


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
    mesh = axis.pcolormesh(means, cmap=_COLOUR_MAP, vmin=0, vmax=1, edgecolors="white", lw=0.5)
    axis.patch.set(facecolor="0.93", edgecolor="0.75", hatch="//////", linewidth=0)
    axis.spines[:].set_visible(False)
    axis.grid(False)
    axis.tick_params(length=0)
    for (row, column), mean in np.ndenumerate(means):
        if not np.isnan(mean):
            colour = "white" if mean < _DARK_BELOW else "black"
            place = column + 0.5, row + 0.5
            axis.text(*place, f"{mean:.2f}", ha="center", va="center", fontsize=6, color=colour)
    bounds = rows.drop_duplicates("n_latents").set_index("n_latents")[_BOUND].sort_index()
    places = _place(bounds.to_numpy(), means.columns.to_numpy())
    axis.plot(np.repeat(places, 2), np.repeat(np.arange(len(places) + 1), 2)[1:-1], **_LOOK)
    axis.set_xticks(np.arange(means.shape[1]) + 0.5, [short_number(x) for x in means.columns])
    axis.set_yticks(np.arange(len(means)) + 0.5, [short_number(n) for n in means.index])
    return mesh


def _place(values: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return where values lie among columns of equal width, whose centres are at `columns`."""
    centres = np.arange(len(columns)) + 0.5
    return np.interp(np.log(values), np.log(columns.astype(float)), centres)


def _draw_lines(rows: pd.DataFrame, diverged: Sequence[str]) -> Figure:
    """Draw a row a quantity, a column a number of latents."""
    sizes = np.unique(rows["n_latents"])
    values = np.unique(rows["samples_per_latent"]).astype(float)
    note = "Dashed: as many unknowns as observations."
    figure, axes = panels(rows, len(_QUANTITIES), len(sizes), note, diverged)
    for (quantity, name), axes_row in zip(_QUANTITIES.items(), axes, strict=True):
        for size, axis in zip(sizes, axes_row, strict=True):
            shown = rows[(rows["metric"] == quantity) & (rows["n_latents"] == size)]
            _set_axes(axis, values)
            axis.axvline(shown[_BOUND].iloc[0], **_LOOK)
            # Cells that a method was left out on would tear its line apart.
            plot_methods(axis, shown[shown["n_seeds"] > 0], "samples_per_latent", markersize=3)
            axis.tick_params(labelleft=axis is axes_row[0])
        axes_row[0].set_ylabel(name)
    for size, axis in zip(sizes, axes[0], strict=True):
        axis.set_title(f"n = {size}")
    for axis in axes[-1]:
        axis.set_xlabel("Samples per latent")
    return figure


def _set_axes(axis: Axes, values: np.ndarray) -> None:
    axis.set_xscale("log")
    axis.set_xlim(values[0] / 1.25, values[-1] * 1.25)
    axis.xaxis.set_major_locator(FixedLocator(values))
    axis.xaxis.set_minor_locator(NullLocator())
    labelled = _apart(values)
    axis.xaxis.set_major_formatter(lambda v, _: short_number(v) if v in labelled else "")
    axis.set_ylim(-0.045, 1.045)
    axis.yaxis.set_major_locator(MultipleLocator(0.2))


def _apart(values: np.ndarray) -> list[float]:
    """Return the values, from the first on, whose labels have room on a logarithmic axis."""
    labelled = [values[0]]
    for value in values[1:]:
        if value > _ROOM * labelled[-1]:
            labelled.append(value)
    return labelled
