"""The engine that judges claims on the tables of any run and protocol.

Compared are means over seeds, of some methods and conditions against others, with a margin, at
every place of a table that the claim speaks of. A comparison that passes or fails by less than the
seeds leave open is close: other seeds might decide it the other way.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import stdtrit

from sae_surgery.errors import SurgeryError
from sae_surgery.pages.claims import Claim, experiments
from sae_surgery.tables.answers import seed_mean
from sae_surgery.tables.summary import require

HOLDS, IN_PART, FAILS, UNKNOWN = "holds", "holds in part", "does not hold", "cannot be told"
OUTCOMES = (HOLDS, IN_PART, FAILS, UNKNOWN)

AUDITED = "latents"
"""The experiment whose scores the audit corrects."""

CONFIDENCE = 0.95
"""Of the interval over seeds within which a limit is close."""

_RELATIONS = ("above", "below", "near")
_HAVE_COLUMNS = ("metric", "method", "condition")
COLUMNS = ["check", "experiment", "metric", "method", "title", "condition", "place"]
COLUMNS += ["value", "relation", "against", "reference", "by", "passes"]
COLUMNS += ["slack", "uncertainty", "close"]


@dataclass(frozen=True)
class Judgement:
    """What the tables say of a claim.

    Attributes
    ----------
    comparisons
        One row a comparison: check (from 1), experiment, metric, method, title, condition, place,
        value, relation, against (what gave the reference, if not a number), reference, by;
        `passes`: True, False, or None without a result; `slack`, by how much it passes, negative
        where it fails; `uncertainty`, half the interval of the compared difference, of t over
        seeds at `CONFIDENCE`, NaN for one seed; and `close`, whether the slack is no more.
    lacking
        What the tables do not hold, one line each.
    """

    claim: Claim
    comparisons: pd.DataFrame
    lacking: tuple[str, ...]

    @property
    def decided(self) -> pd.DataFrame:
        """The comparisons that have a result."""
        return self.comparisons[self.comparisons["passes"].notna()]

    @property
    def outcome(self) -> str:
        """One of `OUTCOMES`; one check that holds nowhere makes the claim false."""
        shares = self.decided.groupby("check")["passes"].mean()
        if (shares == 0).any():
            return FAILS
        if len(shares) < len(self.claim.checks):
            return UNKNOWN
        return HOLDS if (shares == 1).all() else IN_PART

    @property
    def failures(self) -> pd.DataFrame:
        """The comparisons that speak against the claim."""
        return self.decided[self.decided["passes"] == False]  # noqa: E712 (a column of objects)

    @property
    def close(self) -> pd.DataFrame:
        """The comparisons that other seeds might decide the other way."""
        return self.decided[self.decided["close"].astype(bool)]


class _LackingError(Exception):
    """The tables do not hold what a check needs; the text says what."""


def without_models(table: xr.Dataset) -> xr.Dataset:
    """Leave out what stands at settings under a name of its own: the paper claims nothing of it."""
    models = json.loads(table.attrs.get("settings", "{}")).get("models", {})
    if not models:
        return table
    return table.isel(method=[name not in models for name in table["method"].values])


def judge(claims: Sequence[Claim], tables: Mapping[str, xr.Dataset]) -> list[Judgement]:
    """Judge claims on the tables of a run.

    Parameters
    ----------
    tables
        Tables by experiment, with ``title`` and ``family`` over method and ``obs_dim`` over the
        sweep, 0 where there is no cell. Tables, methods and places that are missing leave claims
        undecided.

    Raises
    ------
    SurgeryError
        If a reference names several values, or a table lacks a variable.
    """
    return [_judge(claim, tables) for claim in claims]


def judge_by_correction(claims: Sequence[Claim], audit: xr.Dataset) -> pd.DataFrame:
    """Judge claims again with each correction of the audit alone.

    Only claims on methods over numbers of latents can be: surgeries are not audited.

    Parameters
    ----------
    audit
        The table of the audit: a table of `AUDITED` with one more dimension, ``condition``.

    Returns
    -------
    Outcomes, with a row a claim's id and a column a correction.
    """
    speaking = [claim for claim in claims if experiments([claim]) == {AUDITED}]
    outcomes = {}
    for correction in audit["condition"].values.tolist():
        table = audit.sel(condition=correction, drop=True)
        judgements = judge(speaking, {AUDITED: table})
        outcomes[correction] = {each.claim.id: each.outcome for each in judgements}
    return pd.DataFrame(outcomes)


def _judge(claim: Claim, tables: Mapping[str, xr.Dataset]) -> Judgement:
    found, lacking = [pd.DataFrame(columns=COLUMNS)], []
    for number, check in enumerate(claim.checks, start=1):
        name = check["experiment"]
        try:
            if name not in tables:
                raise _LackingError("the run has no such table")
            rows = _compare(check, tables[name])
        except _LackingError as error:
            lacking.append(f"{name}: {error}")
        except SurgeryError as error:
            raise SurgeryError(f"claim {claim.id}: {error}") from error
        else:
            found.append(rows.assign(check=number, experiment=name)[COLUMNS])
            empty = rows[rows["passes"].isna()].itertuples()
            lacking += [f"{name}: no result for {_where(row)}" for row in empty]
    comparisons = pd.concat([rows.astype(object) for rows in found], ignore_index=True)
    return Judgement(claim, comparisons, tuple(dict.fromkeys(lacking)))


def _compare(check: Mapping[str, Any], table: xr.Dataset) -> pd.DataFrame:
    """Return one row a comparison of a check."""
    (relation,) = (name for name in _RELATIONS if name in check)
    margin = check.get("by", 0.0)
    require(table, "title", "family", "obs_dim")
    table = table.set_coords(["title", "family"])
    values = _select(table, check["take"])
    references = _reference(table, check["take"], check[relation])
    constant = "seed" not in references.dims
    value, reference = seed_mean(values), references if constant else seed_mean(references)
    value, reference = xr.broadcast(value, reference)
    difference = value - reference
    slack = {
        "above": difference - margin,
        "below": -difference - margin,
        "near": margin - abs(difference),
    }[relation]
    uncertainty = _uncertainty(values - references)
    is_cell = (table["obs_dim"] > 0).reindex_like(value).broadcast_like(value)
    compared = xr.Dataset(
        {
            "value": value,
            "reference": reference,
            "passes": slack >= 0,
            "slack": slack,
            "uncertainty": uncertainty,
            "close": abs(slack) <= uncertainty,
            "is_cell": is_cell,
        }
    )
    rows = compared.drop_vars("family").to_dataframe(dim_order=list(value.dims)).reset_index()
    rows["passes"] = rows["passes"].astype(object).where(difference.notnull().values.ravel(), None)
    rows = rows[rows["is_cell"]]
    rows["place"] = [_place(row, value.dims) for _, row in rows.iterrows()]
    rows["condition"] = rows.get("condition", "")
    return rows.assign(relation=relation, by=margin, against=_named(check[relation]))


def _uncertainty(differences: xr.DataArray) -> xr.DataArray:
    """Return half the width of the t interval of a mean over seeds; NaN for fewer than two."""
    n = differences.notnull().sum("seed")
    n = n.where(n > 1)
    error = differences.std("seed") / np.sqrt(n - 1)
    return xr.apply_ufunc(stdtrit, n - 1, (1 + CONFIDENCE) / 2) * error


def _reference(
    table: xr.Dataset, take: Mapping[str, Any], given: Mapping[str, Any] | float
) -> xr.DataArray:
    """Return what is compared with: a number, or the selection with other labels in some places."""
    if not isinstance(given, Mapping):
        return xr.DataArray(float(given))
    named = {"method", "family"} if {"method", "family"} & given.keys() else set()
    kept = {dim: choice for dim, choice in take.items() if dim not in named}
    values = _select(table, kept | given)
    for dim in (given.keys() | named) & set(values.dims):
        if values.sizes[dim] > 1:
            found = ", ".join(map(str, values[dim].values))
            raise SurgeryError(f"the reference must have one {dim}, not {found}")
        values = values.isel({dim: 0}, drop=True)
    return values.drop_vars(set(values.coords) - {*values.dims, "title", "family"})


def _select(table: xr.Dataset, wanted: Mapping[str, Any]) -> xr.DataArray:
    """Return what is wanted (metric, method, …, seed)."""
    metrics = wanted["metric"] if isinstance(wanted["metric"], list) else [wanted["metric"]]
    require(table, *metrics)
    values = table[metrics].to_dataarray("metric")
    for dim, choice in wanted.items():
        if dim != "metric":
            values = _choose(values, dim, choice)
    return values.transpose("metric", "method", ..., "seed")


def _choose(values: xr.DataArray, dim: str, choice: Any) -> xr.DataArray:
    """Return the part of the values that a selection wants along one dimension."""
    if dim == "family":
        chosen = values.isel(method=np.flatnonzero(values["family"] == choice))
        return _some(chosen, "method", f"no method of the family {choice}")
    if dim not in values.dims:
        raise SurgeryError(f"the table has no dimension {dim!r}")
    if isinstance(choice, str) and choice in _PLACES:
        # The same place for all seeds, so that they stay paired.
        return values.isel({dim: _PLACES[choice](seed_mean(values), dim)}, drop=True)
    labels = values[dim].values
    if isinstance(choice, Mapping):
        low, high = choice.get("from", -np.inf), choice.get("to", np.inf)
        chosen = values.isel({dim: np.flatnonzero((labels >= low) & (labels <= high))})
        bounds = " ".join(f"{end} {limit}" for end, limit in choice.items())
        return _some(chosen, dim, f"nothing at {dim} {bounds}")
    wanted = choice if isinstance(choice, list) else [choice]
    absent = [label for label in wanted if label not in labels]
    if absent:
        raise _LackingError(f"no {dim} {', '.join(map(str, absent))}")
    return values.sel({dim: wanted})


def _last(means: xr.DataArray, dim: str) -> xr.DataArray:
    """Return the index of the last mean that is known."""
    places = xr.DataArray(np.arange(means.sizes[dim]), dims=dim)
    # Where there is none, the place -1 is the last one, which is NaN like all others.
    return places.where(means.notnull(), -1).max(dim)


def _best(means: xr.DataArray, dim: str) -> xr.DataArray:
    """Return the index of the largest mean."""
    return means.fillna(-np.inf).argmax(dim)


_PLACES = {"last": _last, "best": _best}


def _some(chosen: xr.DataArray, dim: str, complaint: str) -> xr.DataArray:
    if chosen.sizes[dim] == 0:
        raise _LackingError(complaint)
    return chosen


def _named(reference: Mapping[str, Any] | float) -> str:
    """Name what a selection takes elsewhere than the selection it is compared with."""
    if not isinstance(reference, Mapping):
        return ""
    return ", ".join(f"{dim} {choice}" for dim, choice in reference.items())


def _place(row: pd.Series, dims: Sequence[str]) -> str:
    return ", ".join(f"{dim} = {row[dim]:.12g}" for dim in dims if dim not in _HAVE_COLUMNS)


def _where(row: Any) -> str:
    """Name the place of a comparison."""
    return " at ".join(part for part in (row.title, row.place) if part)
