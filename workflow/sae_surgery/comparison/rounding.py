"""By how much rounding moves the scores of a training: nothing can be asked to agree better.

Measured by `tests/contract/rounding.py`: each training twice, the second time on observations that
differ in their last bit. `rounding.csv` has for each method, numbers of latents and samples, and
seed how far apart the two score; of `relative` metrics, as a share.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

TABLE = Path(__file__).with_name("rounding.csv")


def reach(metrics: pd.Series, n_latents: pd.Series, n_samples: pd.Series) -> np.ndarray:
    """Return how far rounding moved each metric, (row,).

    That is the most that was measured in either split with so many latents and samples, or fewer
    of either; 0 where nothing was.
    """
    measured = _measured()
    columns = measured.columns.get_indexer(metrics.map(_of_either_split))
    found = np.zeros(len(metrics))
    for (latents, samples), moved in measured.iterrows():
        applies = (n_latents >= latents) & (n_samples >= samples) & (columns >= 0)
        found = np.where(applies, np.maximum(found, moved.to_numpy()[columns]), found)
    return found


@cache
def _measured() -> pd.DataFrame:
    """Return the most of all methods and seeds, by size (n_latents, n_samples) and metric."""
    table = pd.read_csv(TABLE).set_index(["method", "n_latents", "n_samples", "seed"])
    metrics = table.T.groupby(_of_either_split).max().T
    return metrics.groupby(["n_latents", "n_samples"]).max()


def _of_either_split(metric: str) -> str:
    return metric.removesuffix("_id").removesuffix("_ood")
