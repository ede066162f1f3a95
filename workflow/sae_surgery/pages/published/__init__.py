"""What the paper and the authors' released files report, one CSV an experiment (see README.md)."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

FOLDER = Path(__file__).parent
PLACE = ["source", "method", "condition", "n_latents", "k", "obs_dim", "n_samples", "step"]
"""Columns that say what a row is of."""
ROUNDING = 5e-6
"""By how much the sixth and last digit can be off, relative to the number."""


@cache
def available() -> tuple[str, ...]:
    """Return the names of the experiments that something was published on, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.csv")))


def facts_of(experiments: Iterable[str]) -> "pd.DataFrame":
    """Read what was published on several experiments into one frame, as `facts` lays it out."""
    import pandas as pd

    return pd.concat([facts(name) for name in experiments], ignore_index=True)


def facts(experiment: str) -> "pd.DataFrame":
    """Read what was published on an experiment, one row a number.

    Returns
    -------
    pandas.DataFrame
        Columns `experiment`, those of `PLACE`, and `metric`, `mean`, `sd` and `n_seeds`, as
        README.md explains them. `condition` is empty and `step` NaN where there is none.
    """
    import pandas as pd

    types = {"condition": str, "step": float}
    wide = pd.read_csv(FOLDER / f"{experiment}.csv", dtype=types).fillna({"condition": ""})
    place = [*PLACE, "n_seeds"]
    numbers = wide.drop(columns=place)
    metrics = [name for name in numbers if not name.endswith("_sd")]
    means = wide.melt(place, metrics, "metric", "mean", ignore_index=False)
    spreads = numbers[[f"{name}_sd" for name in metrics]].melt()["value"]
    frame = means.assign(experiment=experiment, sd=spreads.to_numpy()).sort_index(kind="stable")
    columns = ["experiment", *PLACE, "metric", "mean", "sd", "n_seeds"]
    return frame[columns].dropna(subset="mean").reset_index(drop=True)
