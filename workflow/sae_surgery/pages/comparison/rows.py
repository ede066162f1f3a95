"""Every published number on the experiments of a run beside the run's own, with a verdict."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from sae_surgery.pages import published
from sae_surgery.pages.comparison import accumulation, expectations, rounding
from sae_surgery.pages.comparison.authors import SEEDS, Place
from sae_surgery.pages.comparison.criteria import RELATIVE, Criteria, kind_of
from sae_surgery.pages.comparison.expectations import EXACT, NONE, PER_SEED, STATISTICAL
from sae_surgery.pages.comparison.judgement import (
    AGREES,
    DIFFERS,
    UNDECIDED,
    Sample,
    equivalence,
    paired,
    unpaired,
    verdict_of_distance,
    verdict_of_test,
)
from sae_surgery.pages.comparison.reproduced import reproduced

INCOMPARABLE, MISSING = "not comparable", "missing"
"""The verdicts where another quantity was published, and where the run has no such number."""
VERDICTS = (AGREES, DIFFERS, UNDECIDED, INCOMPARABLE, MISSING)

COLUMNS = [
    "experiment",
    *published.PLACE,
    "metric",
    "published",
    "published_sd",
    "published_seeds",
    "reproduced",
    "reproduced_sd",
    "reproduced_seeds",
    "difference",
    "expected",
    "test",
    "tolerance",
    "limit",
    "distance",
    "within",
    "p_closer",
    "p_farther",
    "verdict",
    "why",
]

_NUMBER = [*Place._fields, "metric"]
_OWN_CODES = ("", "own", "training")
"""Conditions under which codes are those of the method itself."""
_OTHER_SEEDS = " Compared by means, because the seeds are not the same ones."


def compare(
    tables: Sequence[xr.Dataset], criteria: Criteria, released: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Judge every published number on the experiments of the tables.

    Parameters
    ----------
    tables
        Tables of a run's experiments, each with published facts.
    criteria
        When numbers agree.
    released
        Published numbers by seed: columns source, those of `Place`, metric, seed and value.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, one row a published number, in the order of the facts. ``distance`` is what
        ``test`` compares with ``limit``, and ``within`` whether it is no more than that, but for
        the rounding of published numbers; means and population standard deviations (ddof 0) are
        over seeds. Where the run has no such number the verdict is `MISSING`, and where another
        quantity was published `INCOMPARABLE`.
    """
    facts = published.facts_of(table.attrs["experiment"] for table in tables)
    ours = pd.concat([reproduced(table) for table in tables], ignore_index=True)
    rows = facts.rename(
        columns={"mean": "published", "sd": "published_sd", "n_seeds": "published_seeds"}
    )
    rows = rows.join(expectations.expected(facts))
    rows = _with_reproduced(rows, ours)
    rows = _with_pairs(rows, ours, released)
    return _judged(rows, criteria)[COLUMNS]


def _with_reproduced(rows: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """Add the run's numbers: over the published seeds where seeds must be the same, else over all.

    Where that cannot be had, means are what is left to compare.
    """
    same = _statistics(ours[ours["seed"].isin(SEEDS)])
    rows = rows.merge(same, "left", _NUMBER)
    rows = rows.merge(_statistics(ours), "left", _NUMBER, suffixes=("", "_all"))
    by_seed = rows["expected"].isin([EXACT, PER_SEED])
    complete = (rows["published_seeds"] == len(SEEDS)) & (rows["reproduced_seeds"] == len(SEEDS))
    demoted = by_seed & ~complete & rows["reproduced_all"].notna()
    rows.loc[demoted, "expected"] = STATISTICAL
    rows.loc[demoted, "why"] += _OTHER_SEEDS
    for name in ("reproduced", "reproduced_sd", "reproduced_seeds"):
        rows[name] = rows[name].where(by_seed & complete, rows.pop(f"{name}_all"))
    rows["reproduced_seeds"] = rows["reproduced_seeds"].fillna(0).astype(int)
    return rows.assign(difference=rows["reproduced"] - rows["published"])


def _statistics(numbers: pd.DataFrame) -> pd.DataFrame:
    grouped = numbers.groupby(_NUMBER, dropna=False)["value"]
    statistics = {
        "reproduced": grouped.mean(),
        "reproduced_sd": grouped.std(ddof=0),
        "reproduced_seeds": grouped.size(),
    }
    return pd.DataFrame(statistics).reset_index()


def _with_pairs(
    rows: pd.DataFrame, ours: pd.DataFrame, released: pd.DataFrame | None
) -> pd.DataFrame:
    """Add the statistics of differences seed by seed; none where no single seeds are published."""
    if released is None:
        return rows.assign(pair_mean=np.nan, pair_sd=np.nan, pair_largest=np.nan, pairs=0)
    both = released.merge(ours, on=[*_NUMBER, "seed"], suffixes=("_published", ""))
    both["pair"] = both["value"] - both["value_published"]
    grouped = both.groupby(["source", *_NUMBER], dropna=False)["pair"]
    statistics = {
        "pair_mean": grouped.mean(),
        "pair_sd": grouped.std(ddof=0),
        "pair_largest": grouped.agg(lambda pairs: pairs.abs().max()),
        "pairs": grouped.size(),
    }
    joined = rows.merge(pd.DataFrame(statistics).reset_index(), "left", ["source", *_NUMBER])
    return joined.fillna({"pairs": 0})


def _judged(rows: pd.DataFrame, criteria: Criteria) -> pd.DataFrame:
    """Add the test, its limit, its p values and the verdict."""
    by_seed = rows["expected"].isin([EXACT, PER_SEED])
    is_same = rows["expected"] != NONE
    has_pairs = (rows["pairs"] == rows["published_seeds"]) & (rows["pairs"] > ~by_seed)
    rows["tolerance"] = _tolerances(rows, criteria)
    rows["limit"] = _limits(rows, criteria.alpha)
    spread = (rows["reproduced_sd"] - rows["published_sd"]).abs()
    mean = rows["difference"].abs()
    same = rows["pair_largest"].where(has_pairs, np.maximum(mean, spread))
    means = rows["pair_mean"].abs().where(has_pairs, mean)
    rows["distance"] = same.where(by_seed, means)
    rounding_of_published = published.ROUNDING * rows["published"].abs() * by_seed
    rows["within"] = is_same & (rows["distance"] <= rows["limit"] + rounding_of_published)
    closer, farther = _tested(rows, has_pairs)
    rows["p_closer"], rows["p_farther"] = (
        values.where(is_same & ~by_seed) for values in (closer, farther)
    )
    rows["test"] = np.select(
        [~is_same, by_seed & has_pairs, by_seed, has_pairs],
        ["none", "largest difference of a seed", "mean and spread", "paired t"],
        "Welch t",
    )
    rows["verdict"] = np.where(
        by_seed,
        verdict_of_distance(rows["within"]),
        verdict_of_test(rows["p_closer"], rows["p_farther"], criteria.alpha),
    )
    rows["verdict"] = rows["verdict"].where(is_same, INCOMPARABLE)
    rows["verdict"] = rows["verdict"].where(rows["reproduced"].notna(), MISSING)
    return rows


def _tested(rows: pd.DataFrame, has_pairs: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return the p values of the paired test where there are pairs, else of Welch's."""
    published = Sample(*(rows[f"published{part}"].to_numpy() for part in ("", "_sd", "_seeds")))
    ours = Sample(*(rows[f"reproduced{part}"].to_numpy() for part in ("", "_sd", "_seeds")))
    pairs = Sample(*(rows[name].to_numpy() for name in ("pair_mean", "pair_sd", "pairs")))
    limit = rows["limit"].to_numpy()
    of_pairs = equivalence(paired(pairs), limit)
    of_means = equivalence(unpaired(published, ours), limit)
    closer, farther = (
        pd.Series(np.where(has_pairs, *each), rows.index)
        for each in zip(of_pairs, of_means, strict=True)
    )
    return closer, farther


def _tolerances(rows: pd.DataFrame, criteria: Criteria) -> np.ndarray:
    """Return the limit that is stated for each row, on the scale of its metric."""
    kinds = rows["metric"].map(kind_of)
    names = rows["expected"].map({EXACT: "exact", PER_SEED: "per_seed"}).fillna("margin")
    pairs = zip(kinds, names, strict=True)
    limits = [getattr(criteria.limits[kind], name) for kind, name in pairs]
    return _scales(rows) * limits


def _limits(rows: pd.DataFrame, alpha: float) -> np.ndarray:
    """Return how far apart each row may lie: by its tolerance, or as far as rounding carries."""
    own = rows["condition"].isin(_OWN_CODES)
    trained = _scales(rows) * rounding.reach(rows.assign(own=own), alpha)
    summed = accumulation.reach(rows["n_latents"], rows["k"], rows["n_samples"])
    attainable = np.select(
        [rows["expected"] == PER_SEED, _is_exact_mcc(rows)], [trained, summed], 0.0
    )
    return np.maximum(rows["tolerance"], attainable)


def _is_exact_mcc(rows: pd.DataFrame) -> pd.Series:
    return (rows["expected"] == EXACT) & rows["metric"].str.startswith("mcc_")


def _scales(rows: pd.DataFrame) -> np.ndarray:
    """Return what limits are shares of, 1 where they are differences."""
    relative = rows["metric"].map(kind_of) == RELATIVE
    return np.where(relative, rows["published"].abs(), 1)
