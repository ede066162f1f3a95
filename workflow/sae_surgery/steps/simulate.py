"""Make the data of one cell, all seeds."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from sae_surgery.files import store
from sae_surgery.files.store import Origin, Slices, Variable
from sae_surgery.machine.provenance import source_digest
from sae_surgery.problems.paper import Cell
from sae_surgery.problems.sampling import draw_codes, draw_dictionary


def simulate(cell: Cell, seeds: Sequence[int], output: Path) -> None:
    """Draw dictionary and sparse codes of a cell and write its data file."""
    title = f"Sparse codes and dictionary of the cell {cell.name}"
    code = source_digest(__name__)
    origin = Origin(title, {"cell": cell.name, "seeds": list(seeds)}, code)
    store.write(output, "data", _variables(cell, seeds), origin, cell=cell.name)


def _variables(cell: Cell, seeds: Sequence[int]) -> Iterator[tuple[str, Variable]]:
    """Make the variables one at a time: dictionaries of large cells go to disk seed by seed."""
    streams = [np.random.RandomState(seed) for seed in seeds]
    yield "seed", Variable(("seed",), np.array(seeds, np.int64), "seed of the random stream")
    split = np.repeat(["train", "val", "ood"], [cell.n_train, cell.n_val, cell.n_ood])
    yield "split", Variable(("sample",), split, "split that the sample belongs to", None)
    dictionaries = Slices(
        (len(seeds), cell.obs_dim, cell.n_latents),
        np.dtype(np.float64),
        (draw_dictionary(cell, stream)[None] for stream in streams),
    )
    dims = ("seed", "obs", "latent")
    yield "dictionary", Variable(dims, dictionaries, f"true dictionary A, atoms of {cell.norms}")
    support, magnitude = map(np.stack, zip(*(draw_codes(cell, s) for s in streams), strict=True))
    active = ("seed", "sample", "active")
    yield "support", Variable(active, support, "index of the active latent, in order drawn", None)
    yield "magnitude", Variable(active, magnitude, "value of the active latent")
