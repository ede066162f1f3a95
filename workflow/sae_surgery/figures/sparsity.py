"""Recovery against the number of active latents."""

from collections.abc import Mapping

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from .summary import pick, summarise
from .sweep import READING, draw_main_and_all

INPUTS = ("sparsity",)
QUESTION = (
    "How many latents may be active at once before recovery fails, in distribution and on "
    f"combinations never seen in training? {READING}"
)


def draw(tables: Mapping[str, xr.Dataset]) -> dict[str, Figure]:
    """Draw the main figure and the one of all metrics."""
    return draw_main_and_all(pick(tables, "sparsity"), "sparsity", "k")


def numbers(tables: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Give what is drawn, one row a method, value and metric."""
    return summarise(pick(tables, "sparsity"), ("k",))
