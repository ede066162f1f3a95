"""The numbers of a run: its tables as one long frame, a row a seed."""

import json

import numpy as np
import pandas as pd
import xarray as xr

from sae_surgery.pages.comparison.authors import METRICS, Place
from sae_surgery.problems.paper import Cell

LAST = float("inf")
"""The step that stands for the last record of each seed."""


def reproduced(table: xr.Dataset) -> pd.DataFrame:
    """Lay out a table of the step `tabulate`.

    Parameters
    ----------
    table
        The metrics over (method, the sweep's variables, seed), for a surgery also over condition
        and its own sweep variable; the attribute `settings` names the cells.

    Returns
    -------
    pandas.DataFrame
        The columns of `Place`, `metric`, `seed` and `value`, one row a number that is there. Along
        a surgery's own sweep, the last number of each seed is there once more, at step `LAST`.
    """
    sweep = json.loads(table.attrs["settings"])
    metrics = [name for name in dict.fromkeys(METRICS.values()) if name in table]
    kept = table[metrics]
    own = set(kept.dims) - {"method", "condition", "seed", *sweep["over"]}
    kept = kept.rename(dict.fromkeys(own, "step")) if own else kept.expand_dims(step=[np.nan])
    if "condition" not in kept.dims:
        kept = kept.expand_dims(condition=[""])
    found = pd.concat([_at_cell(kept, entry, sweep) for entry in sweep["cells"]], ignore_index=True)
    if own:
        found = pd.concat([found, at_last_step(found)], ignore_index=True)
    return found[[*Place._fields, "metric", "seed", "value"]]


def _at_cell(table: xr.Dataset, entry: dict, sweep: dict) -> pd.DataFrame:
    chosen = table.sel({name: entry[name] for name in sweep["over"]}).to_dataarray("metric")
    chosen = chosen.transpose("method", "condition", "step", "metric", "seed")
    values = chosen.reset_coords(drop=True).to_series().dropna().rename("value")
    cell = Cell.parse(entry["cell"])
    return values.reset_index().assign(experiment=sweep["experiment"], **vars(cell))


def at_last_step(numbers: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers of the largest step of each series over `step`, put at step `LAST`."""
    series = [name for name in numbers if name not in ("step", "value")]
    return numbers.sort_values("step").groupby(series).tail(1).assign(step=LAST)
