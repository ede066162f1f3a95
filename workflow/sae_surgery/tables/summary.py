"""From a sweep table to the numbers a figure shows: statistics over seeds, one row a value."""

from collections.abc import Mapping, Sequence

import pandas as pd
import xarray as xr

from sae_surgery.errors import SurgeryError
from sae_surgery.metrics import quantities
from sae_surgery.metrics.measures.bootstrap import intervals_of_means
from sae_surgery.metrics.measures.quantity import Quantity

PUBLISHED = ("mcc_id", "mcc_ood", "acc_id", "acc_ood", "auc_id", "auc_ood")
"""What the paper's figures show; figures draw these unless they name others."""


def known_quantities() -> dict[str, Quantity]:
    """Return by name all that metrics of any protocol give; what both give is the paper's."""
    return {**quantities("strict"), **quantities("paper")}


def quantity_of(metric: str) -> Quantity:
    """Return what is known of a metric, which gives it itself; of others there is the name."""
    return known_quantities().get(metric, Quantity(metric, metric))


def title_of(metric: str) -> str:
    """Return what a metric is called on an axis."""
    return quantity_of(metric).title


def require(table: xr.Dataset, *variables: str) -> None:
    """Raise a SurgeryError that names every one of `variables` that `table` lacks."""
    missing = [name for name in variables if name not in table.variables]
    if missing:
        raise SurgeryError(f"the table has no variable {', '.join(missing)}")


def pick(tables: Mapping[str, xr.Dataset], name: str) -> xr.Dataset:
    """Take the table `name`.

    Raises
    ------
    SurgeryError
        If it is not among `tables`.
    """
    if name not in tables:
        raise SurgeryError(f"needs the table {name!r}, got: {', '.join(tables) or 'none'}")
    return tables[name]


def summarise(
    table: xr.Dataset, sweep: Sequence[str], metrics: Sequence[str] = PUBLISHED
) -> pd.DataFrame:
    """Mean and spread over seeds of every metric.

    Parameters
    ----------
    table
        The `metrics` over (method, `*sweep`, seed), NaN where a method could not run, and
        ``title`` and ``family`` over method.
    sweep
        The dimensions swept.
    metrics
        The variables to summarise; `PUBLISHED` unless others are named.

    Returns
    -------
    pandas.DataFrame
        Columns method, title, family, `*sweep`, metric, mean, sd, min, max, n_seeds. ``sd`` is the
        population standard deviation, as in the published tables. Where no seed has a value,
        ``n_seeds`` is 0 and the statistics are NaN. Of a table of the strict protocol also low and
        high, the ends of the mean's interval by bootstrap over seeds; NaN where one has no value.

    Raises
    ------
    SurgeryError
        If the table lacks a variable, or a metric has other dimensions.
    """
    require(table, *metrics, "method", "title", "family", *sweep)
    dims = ("method", *sweep, "seed")
    for name in metrics:
        if set(table[name].dims) != set(dims):
            raise SurgeryError(f"{name} must be over {dims}, is over {table[name].dims}")
    values = table[list(metrics)].to_dataarray("metric").astype("float64").reset_coords(drop=True)
    values = values.transpose("method", *sweep, "metric", "seed")
    present = values.notnull()
    n_seeds = present.sum("seed")
    # Divided by hand: NumPy's nan-statistics warn about the cells that are rightly empty.
    mean = values.sum("seed") / n_seeds.where(n_seeds > 0)
    variance = ((values - mean) ** 2).sum("seed") / n_seeds.where(n_seeds > 0)
    statistics = xr.Dataset(
        {
            "mean": mean,
            "sd": variance**0.5,
            "min": values.min("seed"),
            "max": values.max("seed"),
            "n_seeds": n_seeds,
        }
    )
    if table.attrs.get("protocol") == "strict":
        low, high = intervals_of_means(values.values)
        statistics = statistics.assign(low=(mean.dims, low), high=(mean.dims, high))
    frame = statistics.to_dataframe().reset_index()
    for position, label in enumerate(("title", "family"), start=1):
        frame.insert(position, label, frame["method"].map(table[label].to_series()))
    return frame
