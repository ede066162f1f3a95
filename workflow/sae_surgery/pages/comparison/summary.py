"""The rows of a comparison in short: sums by experiment, and the cells that are farthest apart."""

from collections.abc import Iterator

import pandas as pd

from sae_surgery.pages.comparison.expectations import EXACT, EXPECTATIONS, PER_SEED, STATISTICAL
from sae_surgery.pages.comparison.judgement import AGREES, DIFFERS, UNDECIDED
from sae_surgery.pages.comparison.rows import INCOMPARABLE, MISSING, VERDICTS

EVERYTHING = "all"
"""What stands for all experiments together."""

NEAR = 0.1
"""Share of a limit within which a distance on either side of it counts as near."""

_RANKS = {DIFFERS: 0, UNDECIDED: 1}


def count(rows: pd.DataFrame) -> dict[str, int]:
    """Count the verdicts: all that is said of how many numbers agree comes from here.

    Parameters
    ----------
    rows
        Some or all of what `compare` returns, or read from its file: columns verdict and within.

    Returns
    -------
    dict
        By each of `VERDICTS`; `published`, all of them; `compared`, those that are tested; and
        `within`, those of them that lie within their limit, shown or by accident.
    """
    counts = {verdict: int((rows["verdict"] == verdict).sum()) for verdict in VERDICTS}
    compared = counts[AGREES] + counts[DIFFERS] + counts[UNDECIDED]
    tested = rows["verdict"].isin([AGREES, DIFFERS, UNDECIDED])
    within = int(rows["within"][tested].astype(bool).sum())
    return counts | {"published": len(rows), "compared": compared, "within": within}


def near(rows: pd.DataFrame) -> int:
    """Count the numbers whose distance is `NEAR` the limit that decides on them.

    Parameters
    ----------
    rows
        Some or all of what `compare` returns, or read from its file: columns expected, verdict,
        distance and limit. Tests of means have no such limit, and are not counted.
    """
    decided = rows["expected"].isin([EXACT, PER_SEED]) & rows["verdict"].isin([AGREES, DIFFERS])
    apart = (rows["distance"] - rows["limit"]).abs()
    return int((decided & (apart <= NEAR * rows["limit"])).sum())


def statement(rows: pd.DataFrame) -> str:
    """Say in words how many numbers agree."""
    every = count(rows)
    text = (
        f"Of {every['published']} published numbers on its experiments the run has "
        f"{every['published'] - every[MISSING]}."
    )
    if every[INCOMPARABLE]:
        text += (
            f" Of {every[INCOMPARABLE]} of these another quantity was published, or rounding "
            "errors (class none): they are not judged."
        )
    if every["compared"]:
        text += (
            f" Of the {every['compared']} that are, {every[AGREES]} are shown to agree and "
            f"{every[DIFFERS]} to differ, and for {every[UNDECIDED]} there are too few seeds to "
            "tell."
        )
    return text + "".join(_IN_PARTS[name](part) for name, part in _parts(rows))


def _parts(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the compared rows of each expectation that has some."""
    compared = rows[rows["verdict"].isin([AGREES, DIFFERS, UNDECIDED])]
    for name in _IN_PARTS:
        part = compared[compared["expected"] == name]
        if len(part):
            yield name, part


def _exact(rows: pd.DataFrame) -> str:
    found = count(rows)
    return f" Of {found['compared']} that should be exactly the same, all but {found[DIFFERS]} are."


def _per_seed(rows: pd.DataFrame) -> str:
    found = count(rows)
    agree = rows[rows["verdict"] == AGREES]
    by_rounding = (agree["distance"] > agree["tolerance"]).sum()
    return (
        f" Of {found['compared']} that should agree seed by seed, all but {found[DIFFERS]} do, "
        f"{by_rounding} of them only as far as rounding lets a training of that size agree with "
        "itself."
    )


def _statistical(rows: pd.DataFrame) -> str:
    found = count(rows)
    return (
        f" Of {found['compared']} whose means should agree, {found['within']} lie within the "
        f"margin; {found[AGREES]} are shown to agree, {found[DIFFERS]} to differ."
    )


_IN_PARTS = {EXACT: _exact, PER_SEED: _per_seed, STATISTICAL: _statistical}


def sums(rows: pd.DataFrame) -> pd.DataFrame:
    """Give what `count` finds by experiment and expectation, and in all.

    Returns
    -------
    pandas.DataFrame
        Columns experiment, expected, the counts, and of the compared numbers two shares, NaN where
        none was compared: `share` agree, `within` lie within their limit, whether or not the seeds
        suffice to show that it is no accident. The last rows, of experiment `EVERYTHING`, are over
        all experiments.
    """
    groups = pd.concat([rows, rows.assign(experiment=EVERYTHING)])
    frame = pd.DataFrame(
        {"experiment": experiment, "expected": expected, **count(some)}
        for (experiment, expected), some in groups.groupby(["experiment", "expected"], sort=False)
    )
    compared = frame["compared"].where(frame["compared"] > 0)
    frame["share"], frame["within"] = frame[AGREES] / compared, frame["within"] / compared
    names = [*rows["experiment"].unique(), EVERYTHING]
    order = {name: place for place, name in enumerate(names)}
    ranks = frame["experiment"].map(order) * len(EXPECTATIONS) + frame["expected"].map(
        EXPECTATIONS.index
    )
    return frame.iloc[ranks.argsort(kind="stable")].reset_index(drop=True)


def worst(rows: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return the rows that do not agree though they might, the farthest from their limit first.

    Those that differ precede those that are undecided. `excess`, distance over limit, is added.
    """
    open_ = rows[rows["verdict"].isin(_RANKS)]
    ranked = open_.assign(
        excess=open_["distance"] / open_["limit"], rank=open_["verdict"].map(_RANKS)
    )
    ranked = ranked.sort_values(["rank", "excess"], ascending=[True, False], kind="stable")
    return ranked.head(most).drop(columns="rank")
