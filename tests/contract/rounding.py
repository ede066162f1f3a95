"""What rounding alone does to a training: the same one on observations that differ in a last bit.

Numbers that are compared seed by seed cannot agree better than a training agrees with itself, so
the comparison takes limits from the table that this writes. Scored are the SAE's own codes, and
those that surgeries infer on its decoder: `READINGS`.

By hand: python tests/contract/rounding.py
Rows of cells that are not asked for stay in the table. A short run of it is among the tests.
"""

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from sae_surgery import methods, metrics
from sae_surgery.files.data import SCORED, CellData
from sae_surgery.files.encoding import as_tensor
from sae_surgery.inference.fista import fista
from sae_surgery.methods.base import Lesson, Method, Model
from sae_surgery.metrics.base import Seen, Target
from sae_surgery.pages.comparison.criteria import RELATIVE, kind_of
from sae_surgery.pages.comparison.rounding import TABLE
from sae_surgery.problems.laws.sizes import compressed_sensing_dim
from sae_surgery.problems.paper import Cell
from sae_surgery.steps.simulate import simulate
from sae_surgery.tables.scoring import SPLITS

METHODS = ("sae_relu", "sae_jumprelu")
READINGS = {
    "own": None,
    "fista": (0.1, 100),
    # The ends of what the surgeries try, where codes are far from the minimum and dense.
    "fista_10": (0.1, 10),
    "fista_0.001": (0.001, 100),
}
"""How codes are read off a model: by the method, or by FISTA on its decoder at (λ, iterations)."""
RERUNS = {
    Cell(n_latents, 10, compressed_sensing_dim(n_latents, 10, 2.0), n_samples).name: dict(
        zip(METHODS, reruns, strict=True)
    )
    for n_latents, n_samples, reruns in (
        (50, 5000, (10, 8)),
        (100, 5000, (10, 10)),
        (500, 5000, (1, 1)),
        (1000, 5000, (1, 1)),
        # With more samples a training takes more steps, in which differences grow.
        (100, 10_000, (3, 1)),
        (100, 50_000, (1, 1)),
        (100, 100_000, (1, 1)),
    )
}
"""How often each method is trained anew, by cell: less where that takes long."""
NOT_COMPARED = ("acc_n_iter", "explained_variance_")
"""Where the probe stopped is no score, and of explained variance no number was published."""
LAST_BIT = 2.0**-23
CPU = torch.device("cpu")


def differences(
    name: str, cell: Cell, seeds: Sequence[int], reruns: int, folder: Path
) -> Iterator[dict[str, object]]:
    """Yield by how much each metric differs between a training and each of its reruns, by seed."""
    path = folder / f"{cell.name}.nc"
    simulate(cell, tuple(seeds), path)
    data, method = CellData(path), methods.load(name)
    train = as_tensor(data.observations("train"), method, CPU)
    plain = _scores(method, data, train)
    for rerun in range(reruns):
        other = _scores(method, data, _in_the_last_bit(train, rerun))
        for (reading, seed), scores in plain.items():
            again = other[reading, seed]
            yield {
                "method": name,
                "reading": reading,
                "n_latents": cell.n_latents,
                "n_samples": cell.n_samples,
                "seed": seed,
                "rerun": rerun,
                **{metric: _distance(metric, scores[metric], again[metric]) for metric in scores},
            }


def _distance(metric: str, one: float, other: float) -> float:
    """Return how far apart two numbers are, in the unit of the comparison's limits."""
    return abs(one - other) / (abs(one) if kind_of(metric) == RELATIVE else 1)


def _in_the_last_bit(observations: Tensor, rerun: int) -> Tensor:
    """Move each number up or down by its last bit, by chance."""
    generator = torch.Generator().manual_seed(rerun)
    up = torch.rand(observations.shape, generator=generator) < 0.5
    return observations * torch.where(up, 1 + LAST_BIT, 1 - LAST_BIT).to(observations)


def _scores(
    method: Method, data: CellData, train: Tensor
) -> dict[tuple[str, int], Mapping[str, float]]:
    """Train, and return the scores by reading and seed."""
    model = method.fit(Lesson(data.cell, data.seeds, CPU, {"train": train})).model
    observed = {split: as_tensor(data.observations(split), method, CPU) for split in SCORED}
    found = {}
    for reading in READINGS:
        codes = {
            split: _read(reading, method, model, values, data.cell)
            for split, values in observed.items()
        }
        found |= {
            (reading, seed): _score(data, place, model, codes)
            for place, seed in enumerate(data.seeds)
        }
    for place, seed in enumerate(data.seeds):
        own = method.encode(model, observed["val"], data.cell)
        error = (method.decode(model, own)[place] - observed["val"][place]).double()
        found["own", seed]["val_mse"] = float(error.square().mean())
    return found


def _read(reading: str, method: Method, model: Model, observed: Tensor, cell: Cell) -> Tensor:
    """Return the codes of observations (seed, sample, obs) by one of `READINGS`."""
    if READINGS[reading] is None:
        return method.encode(model, observed, cell)
    lam, n_iter = READINGS[reading]
    centred = observed - model.tensor("decoder_bias")[:, None]
    return fista(centred, model.tensor("dictionary"), lam, n_iter)


def _score(data: CellData, place: int, model: Model, codes: Mapping[str, Tensor]) -> dict:
    true = {name: data.true_codes(split, place) for name, split in SPLITS.items()}
    truth = data.dictionary(place)
    target = Target(
        observations={name: each @ truth.T for name, each in true.items()},
        codes=true,
        labels={name: data.labels(split, place) for name, split in SPLITS.items()},
        truth=truth,
    )
    own = {name: codes[split][place].numpy() for name, split in SPLITS.items()}
    scores = metrics.score("paper", Seen(target, own, model.tensor("dictionary")[place].numpy()))
    return {name: scores[name] for name in scores if not name.startswith(NOT_COMPARED)}


def main() -> None:
    """Write the rows of the cells in place of those that the table has."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", nargs="+", default=RERUNS, help=f"default: {' '.join(RERUNS)}")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--reruns", type=int, help="default: as many as the table was made from")
    parser.add_argument("--table", type=Path, default=TABLE, help="CSV file to write")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in options.cells:
            for method in METHODS:
                reruns = options.reruns or RERUNS[name][method]
                cell = Cell.parse(name)
                found = differences(method, cell, options.seeds, reruns, Path(folder))
                _replace(options.table, pd.DataFrame(found))
                print(f"{name}, {method}: {reruns} reruns", flush=True)


def _replace(path: Path, rows: pd.DataFrame) -> None:
    """Put rows into a table, in place of those of the same method and size."""
    size = ["method", "n_latents", "n_samples"]
    if path.exists():
        table = pd.read_csv(path)
        same = table.set_index(size).index.isin(rows.set_index(size).index)
        rows = pd.concat([table[~same], rows], ignore_index=True)
    rows.to_csv(path, index=False, float_format="%.4g", lineterminator="\n")


if __name__ == "__main__":
    main()
