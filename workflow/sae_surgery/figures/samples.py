"""Recovery against the number of samples."""

from collections.abc import Mapping

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from .summary import pick, summarise
from .sweep import READING, draw_main_and_all

INPUTS = ("samples",)
QUESTION = (
    "Do more samples close the gap to the oracle, in distribution and on combinations never seen in "
    f"training? {READING}"
)


def draw(tables: Mapping[str, xr.Dataset]) -> dict[str, Figure]:
    """Draw the main figure and the one of all metrics."""
    return draw_main_and_all(pick(tables, "samples"), "samples", "n_samples")


def numbers(tables: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Give what is drawn, one row a method, value and metric."""
    return summarise(pick(tables, "samples"), ("n_samples",))
