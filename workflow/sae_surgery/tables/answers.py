"""What the tables of the surgeries say, in numbers that a sentence can hold."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import xarray as xr

from sae_surgery.tables.summary import title_of

SMALLEST_GAP = 0.02
"""Distance in MCC below which it is not divided: that would be noise over noise."""

RECOVERED = 0.9
"""Score from which on a sentence says that latents are recovered."""

_NO_BREAK = "\N{NO-BREAK SPACE}"
_SYMBOLS = {"n_latents": "n", "k": "k", "n_samples": "samples", "snr_db": "SNR in dB"}
_KINDS = {"oracle": "the oracle", "sparse coding": "sparse coding", "sae": "an SAE"}


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


def recovery(table: xr.Dataset, sweep: str, metric: str) -> str:
    """Say over which values of `sweep` the best method of each kind recovers, and how SAEs fare."""
    scores = seed_mean(table[metric]).sortby(sweep)
    best = {
        family: scores.where(scores["family"] == family).max("method")
        for family in np.unique(scores["family"])
    }
    best = {family: values for family, values in best.items() if values.notnull().any()}
    where = f"{_SYMBOLS.get(sweep, sweep.replace('_', ' '))}{_NO_BREAK}={_NO_BREAK}"
    reached = [
        f"{name} {_where(best[family] >= RECOVERED, sweep, where)}"
        for family, name in _KINDS.items()
        if family in best
    ]
    title = title_of(metric).replace(", ", " ")
    said = [f"{title} of at least {RECOVERED:g}: {'; '.join(reached)}."] if reached else []
    for family, name in (("sae", "The best SAE"), ("chance", "Chance")):
        if family in best:
            known = best[family].dropna(sweep)
            ends = dict.fromkeys([0, len(known) - 1])
            texts = (
                f"{decimals(float(known[end]))} at {where}{known[sweep][end]:g}" for end in ends
            )
            said.append(f"{name}: {', '.join(texts)}.")
    return " ".join([*said, *_below_chance(scores, best, sweep, where)]) or "There is no result."


def _below_chance(
    scores: xr.DataArray, best: Mapping[str, xr.DataArray], sweep: str, where: str
) -> Iterator[str]:
    """Say where a method that is given the true dictionary does no better than a random one."""
    for place in range(scores.sizes["method"]) if "chance" in best else ():
        own = scores.isel(method=place)
        below = own < best["chance"] - SMALLEST_GAP
        if own["family"].item() == "oracle" and below.any():
            yield (
                f"{own['title'].item()} is given the true dictionary, yet falls below chance "
                f"{_where(below, sweep, where)}."
            )


def _where(holds: xr.DataArray, sweep: str, where: str) -> str:
    """Write at which values of `sweep` something holds."""
    values = [f"{value:g}" for value in holds[sweep].values[holds.values]]
    if len(values) == len(holds):
        return "at all values"
    return f"at {where}{', '.join(values)}" if values else "nowhere"


def at_sizes(write: Callable[..., str], *values: xr.DataArray) -> str:
    """Write what `values` are at each number of latents, or once where it is the same."""
    sizes, texts = values[0]["n_latents"].values, []
    for size in sizes:
        numbers = [float(each.sel(n_latents=size)) for each in values]
        texts.append("no result" if np.isnan(numbers).any() else write(*numbers))
    if len(texts) > 1 and len(set(texts)) == 1:
        return f"{texts[0]} at{_NO_BREAK}every{_NO_BREAK}n"
    first = f"n{_NO_BREAK}={_NO_BREAK}"
    places = (f"{first * (place == 0)}{size}" for place, size in enumerate(sizes))
    return ", ".join(f"{t} at{_NO_BREAK}{p}" for t, p in zip(texts, places, strict=True))


def decimals(value: float, places: int = 2) -> str:
    """Write a number with a true minus sign, and none before zero."""
    return f"{round(value, places) + 0.0:.{places}f}".replace("-", "−")


def at_most(value: float) -> str:
    """Write a largest difference; one that rounds to nothing is less than what is written."""
    if np.isnan(value):
        return "an unknown amount"
    return f"at most {decimals(value)}" if round(value, 2) > 0 else "less than 0.01"


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
