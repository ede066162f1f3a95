"""What the tables of the surgeries say, in numbers that a sentence can hold."""

from collections.abc import Callable

import numpy as np
import xarray as xr

SMALLEST_GAP = 0.02
"""Distance in MCC below which it is not divided: that would be noise over noise."""

_NO_BREAK = "\N{NO-BREAK SPACE}"


def seed_mean(values: xr.DataArray) -> xr.DataArray:
    """Mean over the seeds that have a value; NaN where none has."""
    return values.mean("seed")


def over_saes(values: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Median, least and most over the methods of family `sae` that have a value; NaN if none."""
    chosen = values.where(values["family"] == "sae")
    return chosen.median("method"), chosen.min("method"), chosen.max("method")


def median_sae(values: xr.DataArray) -> xr.DataArray:
    """Median over the methods of family `sae` that have a value; NaN if none has."""
    return over_saes(values)[0]


def oracle_of(values: xr.DataArray) -> xr.DataArray:
    """Return the values of the method of family `oracle`; NaN if there is none."""
    return values.where(values["family"] == "oracle").max("method")


def gap_closed(before: xr.DataArray, after: xr.DataArray, goal: xr.DataArray) -> xr.DataArray:
    """Share of the way from `before` to `goal` that `after` has gone; below 0: the other way.

    NaN where the way is shorter than `SMALLEST_GAP`.
    """
    gap = goal - before
    return (after - before) / gap.where(gap >= SMALLEST_GAP)


def first_step(values: xr.DataArray, goal: xr.DataArray, step: str) -> xr.DataArray:
    """Return the first of the coordinate `step` at which `values` reach `goal`.

    Infinity where they never do, NaN where either is unknown.
    """
    reached = values[step].where(values >= goal).min(step)
    known = goal.notnull() & values.notnull().any(step)
    return reached.fillna(np.inf).where(known)


def first_known(values: xr.DataArray, step: str) -> xr.DataArray:
    """Return the first value along `step` that is not NaN; NaN if all are."""
    return last_known(values.isel({step: slice(None, None, -1)}), step)


def last_known(values: xr.DataArray, step: str) -> xr.DataArray:
    """Return the last value along `step` that is not NaN; NaN if all are."""
    places = xr.DataArray(np.arange(values.sizes[step]), dims=step)
    # Where there is none, the place -1 is the last one, which is NaN like all others.
    return values.isel({step: places.where(values.notnull(), -1).max(step)}).drop_vars(step)


def at_its_best(scores: xr.DataArray, step: str, whose: str) -> str:
    """Say what SAEs and the true dictionary score, each at its own best along `step`."""
    best = seed_mean(scores).max(step)
    return (
        f"{whose} reaches an MCC out of distribution of {at_sizes(decimals, median_sae(best))}; "
        f"the true dictionary, of {at_sizes(decimals, oracle_of(best))}."
    )


def at_sizes(write: Callable[..., str], *values: xr.DataArray) -> str:
    """Write what `values` are at each number of latents, one after the other."""
    texts = []
    for place, size in enumerate(values[0]["n_latents"].values):
        numbers = [float(each.sel(n_latents=size)) for each in values]
        text = "no result" if np.isnan(numbers).any() else write(*numbers)
        texts.append(f"{text} at{_NO_BREAK}{f'n{_NO_BREAK}={_NO_BREAK}' * (place == 0)}{size}")
    return ", ".join(texts)


def decimals(value: float, places: int = 2) -> str:
    """Write a number with a true minus sign, and none before zero."""
    return f"{round(value, places) + 0.0:.{places}f}".replace("-", "−")


def percent(share: float) -> str:
    """Write a share in whole per cent."""
    return f"{decimals(100 * share, 0)}{_NO_BREAK}%"


def percent_range(middle: float, least: float, most: float) -> str:
    """Write a share in per cent, with the range of it in brackets."""
    low, high = decimals(100 * least, 0), percent(most)
    return f"{percent(middle)} ({low}{_NO_BREAK}to{_NO_BREAK}{high})"


def steps(value: float, last: float) -> str:
    """Write a number of steps, of which at most `last` were made."""
    return f"more than{_NO_BREAK}{last:.0f}" if np.isinf(value) else f"{value:.0f}"
