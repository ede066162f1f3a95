"""By how much rounding moves the scores of a training: nothing can be asked to agree better.

Measured by `tests/contract/rounding.py`: trainings anew, on observations that differ in their last
bit. `rounding.csv` has for each method, reading of codes, numbers of latents and samples, seed and
rerun how far apart the two score; of `relative` metrics, as a share. What surgeries infer on the
decoder was measured for small and short trainings only; larger ones have at least their bounds.

Reruns are few where trainings are long, and the most of a few is soon exceeded. The bound is
therefore no less than a prediction: of normal differences with mean zero, a further one exceeds t
times their root mean square with a stated probability, t being of Student's distribution with as
many degrees of freedom as there were trainings anew. Three widen it twice as much as thirty.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from sae_surgery.pages.comparison.authors import SEEDS

TABLE = Path(__file__).with_name("rounding.csv")
OWN = "own"
"""The reading of the method's own codes; all others are those of surgeries."""

_TRAINING = ["n_latents", "n_samples", "seed", "rerun"]
_SIZE = ["n_latents", "n_samples"]


def reach(rows: pd.DataFrame, alpha: float) -> np.ndarray:
    """Return how far rounding can be expected to move each number, (row,).

    That is the bound measured with so many latents and samples, or fewer of either; 0 where nothing
    was. It is exceeded with probability `alpha` by the farthest of the published seeds.

    Parameters
    ----------
    rows
        Columns method, own (whether codes are the method's own), n_latents, n_samples and metric.
    """
    found = np.zeros(len(rows))
    metrics = rows["metric"].map(_of_either_split)
    for method, own in rows[["method", "own"]].drop_duplicates().itertuples(index=False):
        bounds = _bounds(method, own, alpha)
        columns = bounds.columns.get_indexer(metrics)
        chosen = (rows["method"] == method) & (rows["own"] == own) & (columns >= 0)
        for (latents, samples), bound in bounds.iterrows():
            applies = chosen & (rows["n_latents"] >= latents) & (rows["n_samples"] >= samples)
            found = np.where(applies, np.maximum(found, bound.to_numpy()[columns]), found)
    return found


@cache
def _bounds(method: str, own: bool, alpha: float) -> pd.DataFrame:
    """Return the bound by size and metric, over all readings or over that of the own codes."""
    table = pd.read_csv(TABLE)
    table = table[table["method"] == method]
    if own:
        table = table[table["reading"] == OWN]
    table = table.drop(columns=["method", "reading"])
    metrics = table.set_index(_TRAINING).T.groupby(_of_either_split).max().T
    return metrics.groupby(_TRAINING).max().groupby(_SIZE).agg(bound, alpha=alpha)


def bound(moved: pd.Series, alpha: float) -> float:
    """Return the most of differences, or what one of `SEEDS` further ones exceeds by chance.

    Parameters
    ----------
    moved
        Absolute differences, one a training anew; NaN where there is none.
    alpha
        Probability that the largest of as many further differences as there are seeds exceeds it,
        if all are normal with mean zero.
    """
    known = moved.dropna()
    if known.empty:
        return 0.0
    t = stdtrit(len(known), 1 - alpha / len(SEEDS) / 2)
    return max(known.max(), t * np.sqrt(np.mean(known**2)))


def _of_either_split(metric: str) -> str:
    return metric.removesuffix("_id").removesuffix("_ood")
