"""By how much rounding moves the scores of a training: nothing can be asked to agree better.

Measured by `tests/contract/rounding.py`: each training twice, the second time on observations that
differ in their last bit. `rounding.csv` has for each method, number of latents and seed how far
apart the two score; of `relative` metrics, as a share.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

TABLE = Path(__file__).with_name("rounding.csv")


def reach(metrics: pd.Series, n_latents: pd.Series) -> np.ndarray:
    """Return how far rounding moved each metric, (row,).

    That is the most that was measured in either split with so many latents or fewer; 0 where
    nothing was.
    """
    measured = _measured()
    sizes = measured.index.searchsorted(n_latents, side="right") - 1
    columns = measured.columns.get_indexer(metrics.map(_of_either_split))
    found = measured.to_numpy()[sizes, columns]
    return np.where((sizes < 0) | (columns < 0), 0.0, found)


@cache
def _measured() -> pd.DataFrame:
    """Return the most by number of latents, ascending, and metric."""
    table = pd.read_csv(TABLE).set_index(["method", "n_latents", "seed"])
    metrics = table.T.groupby(_of_either_split).max().T
    return metrics.groupby("n_latents").max().cummax()


def _of_either_split(metric: str) -> str:
    return metric.removesuffix("_id").removesuffix("_ood")
