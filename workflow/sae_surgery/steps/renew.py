"""Draw fresh samples of a problem, which nothing was learned from."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from sae_surgery.files.data import CellData
from sae_surgery.files.drawn import as_wide, write_drawn
from sae_surgery.files.store import Origin
from sae_surgery.machine.provenance import source_digest
from sae_surgery.problems.base import Drawn


def renew(data_path: Path, output: Path) -> None:
    """Write a data file with the dictionary and train of another, and fresh val and ood samples.

    Where a problem has no fresh samples, val and ood are those of the other file.

    Raises
    ------
    SurgeryError
        If the data file is not as it must be.
    """
    data = CellData(data_path)
    origin = Origin(
        title=f"Data of {data.cell.name} with fresh samples for scoring",
        settings={"cell": data.cell.name, "seeds": list(data.seeds)},
        code=source_digest(__name__, type(data.cell).__module__),
        inputs={"data": data.digest},
    )
    n_val, n_ood = data.cell.fresh_samples()
    sizes = data.cell.n_train, n_val, n_ood
    write_drawn(output, data.cell, data.seeds, sizes, _renewed(data), origin)


def _renewed(data: CellData) -> Iterator[Drawn]:
    """Yield each seed's data: train as it was, all else fresh."""
    for index, seed in enumerate(data.seeds):
        old = data.drawn(index)
        fresh = data.cell.fresh(seed, old)
        yield old if fresh is None else _joined(data.cell.n_train, old, fresh)


def _joined(n_train: int, old: Drawn, fresh: Drawn) -> Drawn:
    """Return the train samples of `old` and, after them, the samples of `fresh`."""
    parts = {
        name: np.concatenate(as_wide([getattr(old, name)[:n_train], values]))
        for name, values in vars(fresh).items()
        if name != "dictionary" and values is not None
    }
    return replace(old, **parts)
