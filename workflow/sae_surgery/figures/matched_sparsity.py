"""SAEs against FISTA on their own decoders, where both activate equally many atoms."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from sae_surgery.drawing import style
from sae_surgery.drawing.panels import (
    PANEL_HEIGHT,
    facets,
    marks,
    page,
    plot_methods,
    set_metric_axis,
    spread,
)
from sae_surgery.machine.divergence import told_by
from sae_surgery.tables.answers import at_sizes, decimals
from sae_surgery.tables.summary import pick, require, summarise, title_of

INPUTS = ("lambda_sensitivity", "frozen_decoder")
QUESTION = (
    "With as many active atoms, does FISTA read an SAE's decoder better than its encoder? A line "
    "is FISTA on a decoder along the path of λ, the large mark the SAE's own codes; active atoms "
    "are counted out of distribution. Mean over seeds, with bars of one standard deviation either "
    "side. The black line is the true dictionary; the grey band is a random one, which is chance."
)

SPARSITY = "support_l0_total_ood"
_MAIN = ("mcc_ood",)
_ALL = ("mcc_id", "mcc_ood", "acc_ood", "support_f1_ood")
_OWN = {"markersize": 8}
_FEWEST = 0.5  # active atoms that are drawn

Tables = Mapping[str, xr.Dataset]


def draw(tables: Tables) -> dict[str, Figure]:
    """Draw MCC out of distribution, and more scores, against the number of active atoms."""
    rows, diverged = numbers(tables), told_by(tables.values())
    with style.applied():
        return {
            "matched_sparsity": _draw(rows, style.metrics("matched_sparsity", _MAIN), diverged),
            "matched_sparsity_all": _draw(rows, _ALL, diverged),
        }


def numbers(tables: Tables) -> pd.DataFrame:
    """Give what is drawn: scores by method and λ, with the number of ``active_atoms``.

    Where ``lam`` is NaN the codes are the method's own.

    Raises
    ------
    SurgeryError
        If a table is missing or lacks a variable.
    """
    path, own = pick(tables, "lambda_sensitivity"), pick(tables, "frozen_decoder")
    every = dict.fromkeys([*_ALL, *style.metrics("matched_sparsity", _MAIN)])
    scores = (SPARSITY, *every)
    for table in (path, own):
        require(table, "condition", "n_latents", *scores)
    along = summarise(path.sel(condition="path", drop=True), ("n_latents", "lam"), scores)
    codes = summarise(own.sel(condition="own", drop=True), ("n_latents",), scores)
    rows = pd.concat([along, codes.assign(lam=np.nan)], ignore_index=True)
    place = ["method", "n_latents", "lam"]
    counted = rows[rows["metric"] == SPARSITY].rename(columns={"mean": "active_atoms"})
    rows = rows[rows["metric"] != SPARSITY]
    # λ is NaN for a method's own codes, which pandas takes for equal.
    return rows.merge(counted[[*place, "active_atoms"]], on=place)


def gain_at_equal_sparsity(rows: pd.DataFrame, score: str) -> pd.Series:
    """Return what FISTA gains on each SAE's own codes, by (n_latents, method).

    Between two λ a score is interpolated over the logarithm of the number of active atoms; NaN
    where no λ has as many.
    """
    shown = rows[(rows["family"] == "sae") & (rows["metric"] == score) & (rows["active_atoms"] > 0)]
    return shown.groupby(["n_latents", "method"]).apply(_gain, include_groups=False)


def _gain(rows: pd.DataFrame) -> float:
    along, own = rows[rows["lam"].notna()].sort_values("active_atoms"), rows[rows["lam"].isna()]
    if not len(along) or not len(own):
        return np.nan
    wanted, there = np.log(own["active_atoms"].item()), np.log(along["active_atoms"])
    return np.interp(wanted, there, along["mean"], np.nan, np.nan) - own["mean"].item()


def _answer(rows: pd.DataFrame) -> str:
    gains = gain_at_equal_sparsity(rows, _MAIN[0])
    sizes = np.unique(rows["n_latents"])
    middle = gains.groupby("n_latents").median().reindex(sizes)
    values = xr.DataArray(middle.to_numpy(), {"n_latents": sizes}, "n_latents")
    return (
        "With as many active atoms as the SAE's own codes have, FISTA on its decoder gains in MCC "
        f"out of distribution (median over SAEs) {at_sizes(decimals, values)}."
    )


def _draw(rows: pd.DataFrame, scores: Sequence[str], diverged: Sequence[str]) -> Figure:
    """Draw a row a score, a column a number of latents."""
    sizes = np.unique(rows["n_latents"])
    line = Line2D([], [], color="0.3", linestyle="--")
    point = Line2D([], [], color="0.3", linestyle="", marker="^", markersize=_OWN["markersize"])
    figure, part = page(
        len(scores) * PANEL_HEIGHT,
        QUESTION,
        _answer(rows),
        note=spread(rows),
        marks=[*marks(rows, diverged), [("FISTA, path of λ", line), ("the SAE's own", point)]],
        diverged=diverged,
    )
    names = [title_of(score).replace(", ", "\n") for score in scores]
    across = [f"n = {size}" for size in sizes]
    axes = facets(part, names, across, "Active atoms", sharex=True, sharey="row")
    for score, axes_row in zip(scores, axes, strict=True):
        for size, axis in zip(sizes, axes_row, strict=True):
            set_metric_axis(axis, score, rows)
            _fill(axis, rows[rows["active_atoms"] > 0], score, size)
    return figure


def _fill(axis: Axes, rows: pd.DataFrame, score: str, size: int) -> None:
    """Draw one score at one number of latents."""
    axis.set_xscale("log")
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlim(_FEWEST, rows["active_atoms"].max() * 1.6)
    shown = rows[(rows["metric"] == score) & (rows["n_latents"] == size)]
    own = shown["lam"].isna()
    plot_methods(axis, shown[~own], "active_atoms", markersize=3)
    saes = shown[own & (shown["family"] == "sae")]
    plot_methods(axis, saes, "active_atoms", joined=False, **_OWN)
