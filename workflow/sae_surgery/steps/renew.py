"""Draw fresh samples of a cell, which nothing was learned from."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sae_surgery.files import store
from sae_surgery.files.data import CellData
from sae_surgery.files.store import Origin, Slices, Variable
from sae_surgery.machine.provenance import source_digest
from sae_surgery.problems.fresh import fresh_cell
from sae_surgery.problems.sampling import draw_codes

STREAM = 7
"""Tells a seed's stream from any other that it may be given to."""


def renew(data_path: Path, output: Path) -> None:
    """Write a data file with the dictionary and train of another, and fresh val and ood samples.

    Raises
    ------
    SurgeryError
        If the data file is not as it must be.
    """
    data = CellData(data_path)
    origin = Origin(
        title=f"The cell {data.cell.name} with fresh samples for scoring",
        settings={"cell": data.cell.name, "seeds": list(data.seeds)},
        code=source_digest(__name__),
        inputs={"data": data.digest},
    )
    store.write(output, "data", _variables(data), origin, cell=data.cell.name)


def _variables(data: CellData) -> Iterator[tuple[str, Variable]]:
    cell, drawn = data.cell, fresh_cell(data.cell)
    seeds = np.array(data.seeds, np.int64)
    yield "seed", Variable(("seed",), seeds, "seed of the random stream")
    sizes = [cell.n_train, drawn.n_samples, drawn.n_ood]
    split = np.repeat(["train", "val", "ood"], sizes)
    yield "split", Variable(("sample",), split, "split that the sample belongs to", None)
    dictionaries = Slices(
        (len(seeds), cell.obs_dim, cell.n_latents),
        np.dtype(np.float64),
        (data.dictionary(index)[None] for index in range(len(seeds))),
    )
    dims = ("seed", "obs", "latent")
    yield "dictionary", Variable(dims, dictionaries, f"true dictionary A, atoms of {cell.norms}")
    # A generator of another kind than that of the published draws.
    streams = [np.random.default_rng([STREAM, seed]) for seed in data.seeds]
    fresh = [draw_codes(drawn, stream) for stream in streams]
    train = zip(*data.sparse_codes("train"), strict=True)
    joined = [
        [np.concatenate(parts) for parts in zip(old, new, strict=True)]
        for old, new in zip(train, fresh, strict=True)
    ]
    support, magnitude = map(np.stack, zip(*joined, strict=True))
    active = ("seed", "sample", "active")
    yield "support", Variable(active, support, "index of the active latent, in order drawn", None)
    yield "magnitude", Variable(active, magnitude, "value of the active latent")
