"""The rows of a comparison in short: sums by experiment, and the cells that are farthest apart."""

import pandas as pd

from sae_surgery.comparison.expectations import EXPECTATIONS, NONE
from sae_surgery.comparison.judgement import AGREES, DIFFERS, UNDECIDED
from sae_surgery.comparison.rows import MISSING, VERDICTS

_RANKS = {DIFFERS: 0, UNDECIDED: 1}


def sums(rows: pd.DataFrame) -> pd.DataFrame:
    """Count the verdicts by experiment and expectation, and in all.

    Returns
    -------
    pandas.DataFrame
        Columns experiment, expected, a count for each of `VERDICTS`, `published` (all of them),
        and of the compared numbers two shares, NaN where none was compared: `share` agree, `within`
        lie within their limit, whether or not the seeds suffice to show that it is no accident. The
        last rows, of experiment ``all``, are over all experiments.
    """
    rows = rows.assign(within=rows["distance"] <= rows["limit"])
    everything = rows.assign(experiment="all")
    counted = pd.concat([rows, everything]).groupby(["experiment", "expected"], sort=False)
    counts = counted["verdict"].value_counts().unstack(fill_value=0)
    counts = counts.reindex(columns=list(VERDICTS), fill_value=0)
    counts["published"] = counts.sum(axis=1)
    compared = counts["published"] - counts[MISSING]
    compared = compared.where(compared > 0)
    counts["share"] = counts[AGREES] / compared
    counts["within"] = counted["within"].sum() / compared
    frame = counts.reset_index()
    order = {name: place for place, name in enumerate([*rows["experiment"].unique(), "all"])}
    ranks = frame["experiment"].map(order) * len(EXPECTATIONS) + frame["expected"].map(
        EXPECTATIONS.index
    )
    return frame.iloc[ranks.argsort(kind="stable")].reset_index(drop=True)


def worst(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return the rows that do not agree though they might, the farthest from their limit first.

    Those that differ precede those that are undecided. `excess`, distance over limit, is added.
    """
    open_ = rows[rows["verdict"].isin(_RANKS) & (rows["expected"] != NONE)]
    ranked = open_.assign(
        excess=open_["distance"] / open_["limit"], rank=open_["verdict"].map(_RANKS)
    )
    ranked = ranked.sort_values(["rank", "excess"], ascending=[True, False], kind="stable")
    return ranked.head(count).drop(columns="rank")
