"""What is wrong or odd about the authors' released rows, each named so that it can be found."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pandas as pd

from sae_surgery.pages.comparison.authors import SEEDS, Place
from sae_surgery.pages.published import ROUNDING

_FACTORS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0)
"""The factors c of the phase transition."""
_NO_STEP = -1.0
_TINY = 1e-12  # rounding of a mean that is zero


class Finding(NamedTuple):
    """Something about a file that a reader of the comparison should know."""

    file: str
    what: str


def examine(rows: pd.DataFrame) -> list[Finding]:
    """Look for rows that are doubled or missing, for grids that are spliced, and for wide codes.

    Parameters
    ----------
    rows
        Columns file, source, those of `Place`, theirs (the authors' name of the method), metric,
        seed and best_dim (−1 where a row has none), one row a number.
    """
    named = rows.assign(cell=_cell_names(rows), step=rows["step"].fillna(_NO_STEP))
    return [*_doubled(named), *_missing(named), *_spliced(named), *_wide(named)]


def _doubled(rows: pd.DataFrame) -> Iterator[Finding]:
    place = ["source", "method", "condition", "cell", "step", "seed"]
    twice = rows[rows.duplicated([*place, "metric"], keep=False)]
    for (*_, cell, step, seed), some in twice.groupby(place):
        files, names = (" and ".join(sorted(set(some[each]))) for each in ("file", "theirs"))
        count = some["metric"].value_counts().max()
        where = f"{names} at {_at(cell, [step])}, seed {seed}"
        yield Finding(files, f"{where}: {count} rows instead of one; none of them is used")


def _missing(rows: pd.DataFrame) -> Iterator[Finding]:
    """Name the seeds that a method lacks at steps where another seed is there."""
    # Dictionary learning ends when it has converged, after another round for each seed.
    ends_early = (rows["source"] == "learning_dynamics") & (rows["theirs"] == "dl_fista")
    for (file, theirs, cell), some in rows[~ends_early].groupby(["file", "theirs", "cell"]):
        steps = {seed: set(part["step"]) for seed, part in some.groupby("seed")}
        for seed in SEEDS:
            lacking = sorted(set(some["step"]) - steps.get(seed, set()))
            if lacking:
                where = _at(cell, lacking if seed in steps else [_NO_STEP])
                yield Finding(file, f"{theirs} at {where}: seed {seed} is missing")


def _spliced(rows: pd.DataFrame) -> Iterator[Finding]:
    """Name the methods whose cells are not all on the grid m = c k ln(n / k)."""
    phases = rows[rows["source"].str.startswith("phase_transition")]
    sizes = ["n_latents", "k", "obs_dim"]
    for source, some in phases.groupby("source"):
        cells = some.drop_duplicates(["theirs", *sizes])
        on_grid = [m in _grid(n, k, math.log) for n, k, m in cells[sizes].itertuples(index=False)]
        off = cells[[not each for each in on_grid]]
        binary = [m in _grid(n, k, math.log2) for n, k, m in off[sizes].itertuples(index=False)]
        if off.empty:
            continue
        grid = "m = c k log2(n / k)" if all(binary) else "no known grid"
        methods = ", ".join(sorted(set(off["theirs"])))
        others = ", ".join(sorted(set(cells["theirs"]) - set(off["theirs"]))) or "no method"
        yield Finding(
            off["file"].iloc[0],
            f"two grids are spliced in {source}: {off['cell'].nunique()} cells of {methods} (such "
            f"as {off['cell'].iloc[0]}) lie on {grid}; all of {others} on m = c k ln(n / k)",
        )


def _grid(n: int, k: int, logarithm: Callable[[float], float]) -> set[int]:
    return {min(n, max(1, math.ceil(c * k * logarithm(n / k)))) for c in _FACTORS}


def _wide(rows: pd.DataFrame) -> Iterator[Finding]:
    """Name the methods whose best column is numbered beyond the latents: their codes are wider."""
    beyond = rows[rows["best_dim"] >= rows["n_latents"]]
    for (source, theirs), some in beyond.groupby(["source", "theirs"]):
        worst = some.loc[(some["best_dim"] / some["n_latents"]).idxmax()]
        yield Finding(
            worst["file"],
            f"{theirs} in {source} has more atoms than latents: column {worst['best_dim']} of its "
            f"codes is the best where n = {worst['n_latents']}",
        )


def hold_against(facts: pd.DataFrame, numbers: pd.DataFrame) -> Iterator[Finding]:
    """Name what the released rows lack of the published facts, or report otherwise.

    Parameters
    ----------
    facts
        As `sae_surgery.pages.published.facts` gives them.
    numbers
        Released numbers: columns source, those of `Place`, metric, seed and value.
    """
    place = ["source", *Place._fields, "metric"]
    means = numbers.groupby(place, dropna=False)["value"].agg(["mean", "size"]).reset_index()
    both = facts.merge(means, "left", place, suffixes=("", "_released"))
    both = both.assign(cell=_cell_names(both), step=both["step"].fillna(_NO_STEP))
    sized = ["source", "n_latents"]
    # What is absent with its whole file has been told.
    both = both.merge(numbers[sized].drop_duplicates(), on=sized)
    for (source, cell), rows in both[both["size"].isna()].groupby(["source", "cell"]):
        methods = ", ".join(sorted(set(rows["method"])))
        yield Finding(source, f"{cell}: {len(rows)} published numbers of {methods} have no row")
    distance = (both["mean"] - both["mean_released"]).abs()
    # Of fewer seeds, which are named elsewhere, the mean is another.
    whole = both["size"] == both["n_seeds"]
    for row in both[whole & (distance > ROUNDING * both["mean"].abs() + _TINY)].itertuples():
        where = f"{row.method} at {_at(row.cell, [row.step])}"
        yield Finding(
            row.source,
            f"{where}: {row.metric} is {row.mean_released:.6g} on average, but {row.mean:.6g} in "
            "the published facts",
        )


def _cell_names(rows: pd.DataFrame) -> pd.Series:
    sizes = {"n": "n_latents", "_k": "k", "_m": "obs_dim", "_s": "n_samples"}
    parts = [letter + rows[name].astype(str) for letter, name in sizes.items()]
    return parts[0].str.cat(parts[1:])


def _at(cell: str, steps: list[float]) -> str:
    known = [f"{step:g}" for step in steps if step != _NO_STEP]
    return f"{cell}, step {', '.join(known)}" if known else cell
