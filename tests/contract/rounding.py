"""What rounding alone does to a training: the same one on observations that differ in a last bit.

Numbers that are compared seed by seed cannot agree better than a training agrees with itself, so
the comparison takes limits from the table that this writes.

By hand: python tests/contract/rounding.py
A short run of it is among the tests.
"""

import argparse
import csv
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from sae_surgery import methods
from sae_surgery.comparison.criteria import RELATIVE, kind_of
from sae_surgery.comparison.rounding import TABLE
from sae_surgery.data import SCORED, CellData
from sae_surgery.encoding import as_tensor
from sae_surgery.methods.base import Method, Problem
from sae_surgery.metrics.dictionary import dictionary_metrics
from sae_surgery.metrics.panel import paper_panel
from sae_surgery.problem import Cell, compressed_sensing_dim
from sae_surgery.steps.simulate import simulate

METHODS = ("sae_relu", "sae_jumprelu")
SIZES = (
    *((n_latents, 5000) for n_latents in (50, 100, 500, 1000)),
    # With more samples a training takes more steps, in which differences grow.
    *((100, n_samples) for n_samples in (10_000, 50_000, 100_000)),
)
CELLS = tuple(
    Cell(n_latents, 10, compressed_sensing_dim(n_latents, 10, 2.0), n_samples).name
    for n_latents, n_samples in SIZES
)
LAST_BIT = 2.0**-23
CPU = torch.device("cpu")


def differences(
    name: str, cell: Cell, seeds: Sequence[int], folder: Path
) -> Iterator[dict[str, object]]:
    """Yield for each seed by how much each metric differs between the two trainings."""
    path = folder / f"{cell.name}.nc"
    simulate(cell, tuple(seeds), path)
    data, method = CellData(path), methods.load(name)
    train = as_tensor(data.observations("train"), method, CPU)
    pair = [_scores(method, data, each) for each in (train, _in_the_last_bit(train))]
    for seed, (plain, other) in zip(seeds, zip(*pair, strict=True), strict=True):
        apart = {metric: _distance(metric, plain[metric], other[metric]) for metric in plain}
        size = {"n_latents": cell.n_latents, "n_samples": cell.n_samples}
        yield {"method": name, **size, "seed": seed, **apart}


def _distance(metric: str, one: float, other: float) -> float:
    """Return how far apart two numbers are, in the unit of the comparison's limits."""
    return abs(one - other) / (abs(one) if kind_of(metric) == RELATIVE else 1)


def _in_the_last_bit(observations: Tensor) -> Tensor:
    """Move each number up or down by its last bit, by chance."""
    generator = torch.Generator().manual_seed(0)
    up = torch.rand(observations.shape, generator=generator) < 0.5
    return observations * torch.where(up, 1 + LAST_BIT, 1 - LAST_BIT).to(observations)


def _scores(method: Method, data: CellData, train: Tensor) -> list[Mapping[str, float]]:
    model = method.fit(Problem(data.cell, data.seeds, CPU, {"train": train})).model
    codes = {
        split: method.encode(model, as_tensor(data.observations(split), method, CPU), data.cell)
        for split in SCORED
    }
    dictionaries, truth = model.tensor("dictionary").numpy(), data.dictionary()
    found = []
    for seed in range(len(data.seeds)):
        scores = paper_panel(
            codes_id=codes["val"][seed].numpy(),
            codes_ood=codes["ood"][seed].numpy(),
            true_id=data.true_codes("val", seed),
            labels_id=data.labels("val", seed),
            true_ood=data.true_codes("ood", seed),
            labels_ood=data.labels("ood", seed),
            dictionary=dictionaries[seed],
            truth=truth[seed],
            compare=dictionary_metrics,
        )
        # Where the probe stopped is no score.
        del scores["acc_n_iter"]
        found.append(scores)
    return found


def main() -> None:
    """Write the table, and print its last row of each cell, as a sign of progress."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", nargs="+", default=CELLS, help=f"default: {' '.join(CELLS)}")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--table", type=Path, default=TABLE, help="CSV file to write")
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for cell in options.cells:
            for name in METHODS:
                rows += differences(name, Cell.parse(cell), options.seeds, Path(folder))
                print(rows[-1], flush=True)
    with options.table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
