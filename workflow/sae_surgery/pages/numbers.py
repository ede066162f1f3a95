"""Every number that the manuscript may quote: from a run's tables and the pages made from them.

A number has a key, `<experiment>/<metric>/<method>[/<condition>]/<dimension>=<place>…`, as in
``frozen_decoder/mcc_ood/sae_topk/frozen/n_latents=100``. Besides methods there are `GROUPS` of
them; along a surgery's own sweep the places are `STEPS`. Pages have keys of their own:
``claims/…``, ``verdict/…``, ``comparison/…``.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from sae_surgery.pages.claims.judging import OUTCOMES, UNKNOWN
from sae_surgery.pages.claims.pages import slack
from sae_surgery.pages.comparison.judgement import DIFFERS
from sae_surgery.pages.comparison.rows import INCOMPARABLE
from sae_surgery.pages.comparison.summary import EVERYTHING, count, near
from sae_surgery.pages.verdict import largest_parts
from sae_surgery.tables.answers import decimals, first_known, last_known, over_saes, seed_mean
from sae_surgery.tables.summary import known_quantities

GROUPS = ("sae:median", "sae:least", "sae:most")
"""Over the SAEs that have a value."""

_PLACE = ("n_latents", "k", "n_samples", "step")

STEPS: Mapping[str, Callable[[xr.DataArray, str], xr.DataArray]] = {
    "first": first_known,
    "last": last_known,
    "best": lambda values, dim: values.max(dim),
}
"""Places on a surgery's own sweep."""

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "claims": (
        "claim",
        "statement",
        "made_in",
        "outcome",
        "lacking",
        "experiment",
        "passes",
        "slack",
        "uncertainty",
        "close",
    ),
    "verdict": ("method", "title", "n_latents", "metric", "part", "of", "gain", "share"),
    "comparison": (
        "experiment",
        "method",
        "condition",
        *_PLACE,
        "metric",
        "published",
        "reproduced",
        "difference",
        "expected",
        "limit",
        "distance",
        "within",
        "verdict",
        "why",
    ),
}
"""What is read of each page."""

_PUBLISHED_SWEEPS = ("n_latents", "k", "n_samples", "samples_per_latent", "obs_dim_factor")

_DIFFERING_ROWS = 12  # of the table of what differs most, at most


@dataclass(frozen=True)
class Number:
    """One number as it is, and as it is printed."""

    value: float | None
    text: str
    unit: str
    source: str
    """Name of the file that it is from."""


Numbers = dict[str, Number]


def of_table(table: xr.Dataset, source: str) -> Numbers:
    """Return the means over seeds, by key, of those of an experiment's metrics that may be quoted.

    Metrics say themselves whether they may, see `Quantity`.

    Parameters
    ----------
    table
        Metrics over (method, condition, sweep, seed, the surgery's own sweep), as far as it has
        these dimensions.
    """
    table = table.set_coords(["title", "family"])
    experiment = table.attrs["experiment"]
    found = {}
    for metric in (name for name, quantity in known_quantities().items() if quantity.quoted):
        if metric not in table or table[metric].isnull().all():
            continue
        for path, value in _places(_with_groups(seed_mean(table[metric])), swept(table)):
            found["/".join([experiment, metric, *path])] = _score(value, source)
    return found


def of_claims(rows: pd.DataFrame, source: str) -> Numbers:
    """Return how many claims have each outcome, and how many comparisons agree with each claim."""
    outcomes = rows.groupby("claim", sort=False)["outcome"].first()
    counts = {"claims/all": len(outcomes), "claims/told": int((outcomes != UNKNOWN).sum())}
    counts |= {f"claims/{outcome}": int((outcomes == outcome).sum()) for outcome in OUTCOMES}
    counts["claims/close"] = _close(rows)["claim"].nunique()
    for claim, comparisons in rows.groupby("claim", sort=False):
        passes = comparisons["passes"].dropna().astype(bool)
        counts |= {f"claims/{claim}/agree": int(passes.sum()), f"claims/{claim}/all": len(passes)}
        counts[f"claims/{claim}/close"] = len(_close(comparisons))
    return {key: _count(count, source) for key, count in counts.items()}


def of_verdict(rows: pd.DataFrame, source: str) -> Numbers:
    """Return gains and shares (per cent) of each part, and how often each part is the largest."""
    found = {}
    for row in rows.itertuples():
        key = f"verdict/{row.metric}/{row.method}/{row.part}/n_latents={row.n_latents}"
        found[f"{key}/gain"] = _score(row.gain, source)
        found[f"{key}/share"] = _number(row.share, 0, "percent", source)
    for metric, chosen in rows.groupby("metric"):
        largest = largest_parts(chosen)
        found[f"verdict/{metric}/all"] = _count(len(largest), source)
        for part in chosen[chosen["of"] == "distance"]["part"].unique():
            pairs = int((largest == part).sum())
            found[f"verdict/{metric}/largest/{part}"] = _count(pairs, source)
    return found


def of_comparison(rows: pd.DataFrame, source: str) -> Numbers:
    """Return counts by verdict, over all and by experiment, and the largest differences in MCC.

    With how many verdicts are near the limit that decides them.
    """
    found = {}
    for name, chosen in [(EVERYTHING, rows), *rows.groupby("experiment", sort=False)]:
        for what, number in count(chosen).items():
            found[f"comparison/{name}/{what}"] = _count(number, source)
        found[f"comparison/{name}/near"] = _count(near(chosen), source)
        mcc = chosen["metric"].str.startswith("mcc") & (chosen["verdict"] != INCOMPARABLE)
        largest = chosen.loc[mcc, "difference"].abs().max()
        found[f"comparison/{name}/largest_mcc"] = _number(largest, 4, "1", source)
    return found


def claim_rows(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what the table of claims says, one row a claim."""
    return [_claim_row(claim, chosen) for claim, chosen in rows.groupby("claim", sort=False)]


def verdict_rows(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return whose verdicts there are, with the largest part out of distribution, if any."""
    largest = largest_parts(rows[rows["metric"] == "mcc_ood"])
    whose = rows[["method", "title", "n_latents"]].drop_duplicates().to_dict("records")
    return [row | {"largest": largest.get((row["method"], row["n_latents"]))} for row in whose]


def differing_rows(rows: pd.DataFrame) -> list[dict[str, str]]:
    """Return the published numbers that differ most from ours, the most first, as texts."""
    differs = rows[rows["verdict"] == DIFFERS]
    order = differs["difference"].abs().sort_values(ascending=False, kind="stable").index
    chosen = differs.loc[order[:_DIFFERING_ROWS]]
    return [
        {
            "experiment": row["experiment"],
            "method": row["method"],
            "condition": "" if pd.isna(row["condition"]) else row["condition"],
            "place": ", ".join(f"{n} = {row[n]:.12g}" for n in _PLACE if not pd.isna(row[n])),
            "metric": row["metric"],
            "published": _legible(row["published"]),
            "reproduced": _legible(row["reproduced"]),
            "why": "" if pd.isna(row["why"]) else row["why"],
        }
        for _, row in chosen.iterrows()
    ]


def _legible(value: float) -> str:
    """Write three decimals, or three digits of what they would show as next to nothing."""
    return decimals(value, 3) if abs(value) >= 0.01 else f"{value:.2e}".replace("-", "−")


def described(table: xr.Dataset) -> dict[str, Any]:
    """Return what an experiment's table holds: methods, conditions and places."""
    names = zip(table["method"].values, table["title"].values, table["family"].values, strict=True)
    dims = [dim for dim in table["mcc_id"].dims if dim not in ("method", "condition", "seed")]
    return {
        "methods": [{"name": n, "title": t, "family": f} for n, t, f in names],
        "conditions": table["condition"].values.tolist() if "condition" in table.dims else [],
        "over": {dim: table[dim].values.tolist() for dim in dims if dim in swept(table)},
        "steps": {dim: table[dim].values.tolist() for dim in dims if dim not in swept(table)},
    }


def as_entries(numbers: Numbers) -> dict[str, dict[str, Any]]:
    """Give numbers as built-in types."""
    return {key: asdict(number) for key, number in numbers.items()}


def _with_groups(values: xr.DataArray) -> xr.DataArray:
    """Append the `GROUPS` along the methods."""
    groups = xr.concat(over_saes(values), "method").assign_coords(method=list(GROUPS))
    bare = values.drop_vars(["title", "family"])
    return xr.concat([bare, groups], "method", coords="minimal", compat="override")


def swept(table: xr.Dataset) -> tuple[str, ...]:
    """Return the dimensions of a table that its configuration sweeps."""
    over = json.loads(table.attrs.get("settings", "{}")).get("over", ())
    return tuple(dict.fromkeys([*_PUBLISHED_SWEEPS, *over]))


def _places(values: xr.DataArray, over: Sequence[str]) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield the path of each value below its metric, and the value."""
    own = [dim for dim in values.dims if dim not in (*over, "method", "condition")]
    if own:
        (dim,) = own
        steps = [step(values, dim) for step in STEPS.values()]
        values = xr.concat(steps, dim, coords="minimal", compat="override")
        values = values.assign_coords({dim: list(STEPS)})
    first = [dim for dim in ("method", "condition") if dim in values.dims]
    rest = [dim for dim in (*over, *own) if dim in values.dims]
    values = values.transpose(*first, *rest)
    labels = [values[dim].values.tolist() for dim in first]
    labels += [[f"{dim}={_label(each)}" for each in values[dim].values] for dim in rest]
    for path, value in zip(product(*labels), values.values.ravel(), strict=True):
        yield path, float(value)


def _label(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.12g}"


def _claim_row(claim: str, rows: pd.DataFrame) -> dict[str, Any]:
    first = rows.iloc[0]
    against = rows[rows["passes"].astype(object) == False]  # noqa: E712 (a column of objects)
    return {
        "id": claim,
        "statement": first["statement"],
        "made_in": first["made_in"],
        "outcome": first["outcome"],
        "experiments": sorted(rows["experiment"].dropna().unique()),
        "against": list(dict.fromkeys(_where(row) for row in against.itertuples())),
        "close": [f"{_where(row)} ({slack(row)})" for row in _close(rows).itertuples()],
        "lacking": "" if pd.isna(first["lacking"]) else first["lacking"],
    }


def _close(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the comparisons that other seeds might decide the other way."""
    return rows[rows["close"].astype(object) == True]  # noqa: E712 (a column of objects)


def _where(row: Any) -> str:
    return f"{row.title}, {row.place}" if row.place else row.title


def _score(value: float, source: str) -> Number:
    return _number(value, 3, "1", source)


def _count(value: int, source: str) -> Number:
    return Number(value, f"{value}", "1", source)


def _number(value: float, places: int, unit: str, source: str) -> Number:
    if np.isnan(value):
        return Number(None, "no result", unit, source)
    return Number(float(value), decimals(value, places), unit, source)
