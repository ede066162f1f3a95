"""Explained variance against active atoms, on patches of photographs."""

from collections.abc import Mapping, Sequence

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from sae_surgery.drawing import style
from sae_surgery.drawing.panels import PANEL_HEIGHT, facets, marks, page, plot_methods, spread
from sae_surgery.machine.divergence import told_by
from sae_surgery.tables.answers import decimals
from sae_surgery.tables.summary import pick, summarise

INPUTS = ("patches",)
FIXED_METRICS = True
QUESTION = (
    "With so many active atoms, how much of the variance of image patches do codes explain, of the "
    "photograph learned from and of another? A mark is a number of atoms that methods were given, "
    "mean over seeds; where codes have a penalty instead, there is one mark."
)
SPLITS = {"id": "the photograph learned from", "ood": "the other photograph"}

Tables = Mapping[str, xr.Dataset]


def draw(tables: Tables) -> dict[str, Figure]:
    """Draw held-out patches of the first photograph, and with `_all` those of the other, too."""
    rows, diverged = numbers(tables), told_by(tables.values())
    with style.applied():
        return {
            "patches": _draw(rows, ["id"], diverged),
            "patches_all": _draw(rows, list(SPLITS), diverged),
        }


def numbers(tables: Tables) -> pd.DataFrame:
    """Give explained variance by method and k, with the number of ``active_atoms``.

    Raises
    ------
    SurgeryError
        If the table is missing or lacks a variable.
    """
    return pd.concat([_of_split(pick(tables, "patches"), split) for split in SPLITS])


def _of_split(table: xr.Dataset, split: str) -> pd.DataFrame:
    rows = summarise(table, ("k",), (f"explained_variance_{split}", f"l0_{split}"))
    explained = rows[rows["metric"] == f"explained_variance_{split}"]
    atoms = rows[rows["metric"] == f"l0_{split}"].set_index(["method", "k"])["mean"]
    places = pd.MultiIndex.from_frame(explained[["method", "k"]])
    return explained.assign(active_atoms=atoms.reindex(places).to_numpy())


def _draw(rows: pd.DataFrame, splits: Sequence[str], diverged: Sequence[str]) -> Figure:
    figure, part = page(
        PANEL_HEIGHT,
        QUESTION,
        _answer(rows),
        note=f"Codes of held-out patches. {spread(rows)}",
        marks=marks(rows, diverged),
        diverged=diverged,
    )
    names = [f"Explained variance, {SPLITS[split]}" for split in splits]
    axes = facets(part, [""], names, "Active atoms", sharey=True)
    for split, axis in zip(splits, axes.flat, strict=True):
        shown = rows[(rows["metric"] == f"explained_variance_{split}") & (rows["n_seeds"] > 0)]
        axis.set_xlim(0, 1.05 * rows["active_atoms"].max())
        axis.set_ylim(min(0.0, rows["mean"].min() - 0.05), 1.02)
        plot_methods(axis, shown, "active_atoms", markersize=4)
    return figure


def _answer(rows: pd.DataFrame) -> str:
    """Say how much each method explains at most, and with how many atoms."""
    rows = rows[(rows["metric"] == "explained_variance_id") & rows["mean"].notna()]
    most = rows.loc[rows.groupby("method", sort=False)["mean"].idxmax()]
    texts = [
        f"{row.title} {decimals(row.mean)} with {row.active_atoms:.0f}"
        for row in most.sort_values("active_atoms").itertuples()
    ]
    return f"At most, by active atoms: {', '.join(texts)}." if texts else "No result."
