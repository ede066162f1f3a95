"""Recovery against the number of latents."""

from collections.abc import Mapping

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from .summary import pick, summarise
from .sweep import READING, draw_main_and_all

INPUTS = ("latents",)
QUESTION = (
    "As latents outgrow the observations that superpose them, which methods still recover them, "
    f"and on combinations never seen in training? {READING}"
)


def draw(tables: Mapping[str, xr.Dataset]) -> dict[str, Figure]:
    """Draw the main figure and the one of all metrics."""
    return draw_main_and_all(pick(tables, "latents"), "latents", "n_latents")


def numbers(tables: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Give what is drawn, one row a method, value and metric."""
    return summarise(pick(tables, "latents"), ("n_latents",))
