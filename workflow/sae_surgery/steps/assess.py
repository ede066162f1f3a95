"""Score what one surgery yielded on the patients of one cell."""

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from sae_surgery import metrics, surgeries
from sae_surgery.errors import SurgeryError
from sae_surgery.files import store
from sae_surgery.files.data import CellData
from sae_surgery.files.operations import Operation
from sae_surgery.files.store import Origin, Variable
from sae_surgery.machine.progress import track
from sae_surgery.machine.provenance import source_digest
from sae_surgery.metrics.base import Quantity
from sae_surgery.surgeries.base import Surgery
from sae_surgery.tables.scoring import Scored, Scorer


def assess(data_path: Path, operation_paths: Sequence[Path], protocol: str, output: Path) -> None:
    """Write the metrics of each patient, condition, step and seed.

    Raises
    ------
    SurgeryError
        If a file is not as it must be, or the operations are not all of one surgery.
    """
    data = CellData(data_path)
    operations = [Operation(path, data) for path in operation_paths]
    names = {operation.surgery for operation in operations}
    if len(names) > 1:
        raise SurgeryError(f"--operations: files of several surgeries: {', '.join(sorted(names))}")
    (name,) = names
    surgery = surgeries.load(name)
    scorer = Scorer(data, protocol)
    scores = _score(operations, surgery, scorer)
    origin = Origin(
        title=f"Metrics of {surgery.title} on {data.cell.name}, protocol {protocol}",
        settings={"protocol": protocol},
        code=source_digest(__name__, *metrics.modules(protocol), f"{surgeries.__name__}.{name}"),
        inputs={"data": data.digest} | {each.method: each.digest for each in operations},
    )
    store.write(
        output,
        "metrics",
        _variables(scores, scorer, operations, surgery, data),
        origin,
        cell=data.cell.name,
        protocol=protocol,
        surgery=name,
    )


Place = tuple[str, float | None]
Scores = dict[tuple[str, Place], dict[str, np.ndarray]]


def _score(operations: list[Operation], surgery: Surgery, scorer: Scorer) -> Scores:
    """Return the metrics (seed,) by method and place."""
    places, all_scored = [], []
    for operation in operations:
        if operation.status != "ok":
            print(f"{operation.method}: {operation.status}", file=sys.stderr)
        if operation.empty:
            continue
        for outcome, place in enumerate(operation.places(surgery.step)):
            places.append((operation, outcome, place))
            dictionary = partial(operation.dictionary, outcome)
            all_scored.append(Scored(operation, dictionary, place=(outcome,)))
    found = scorer.score(all_scored, track)
    scores = {}
    for (operation, outcome, place), scored in zip(places, found, strict=True):
        for diagnostic in surgery.diagnostics:
            scored[diagnostic] = operation.file[diagnostic].values[outcome]
        scores[operation.method, place] = scored
    return scores


def _variables(
    scores: Scores,
    scorer: Scorer,
    operations: list[Operation],
    surgery: Surgery,
    data: CellData,
) -> Iterator[tuple[str, Variable]]:
    names = [operation.method for operation in operations]
    statuses = [operation.status for operation in operations]
    # In the order of the outcomes, which is that of the surgery's description.
    conditions = list(dict.fromkeys(condition for _, (condition, _) in scores))
    steps = sorted({step for _, (_, step) in scores}) if surgery.step else [None]
    texts = np.array(conditions, dtype=object)
    seeds = np.array(data.seeds, np.int64)
    yield "method", Variable(("method",), np.array(names), "name of the method", None)
    yield "status", Variable(("method",), np.array(statuses), "ok, or why scores are missing", None)
    yield "condition", Variable(("condition",), texts, "condition of the surgery", None)
    if surgery.step:
        yield surgery.step, Variable((surgery.step,), np.array(steps), surgery.step_means)
    yield "seed", Variable(("seed",), seeds, "seed of the random stream")

    own_sweep = [(surgery.step, len(steps))] if surgery.step else []
    sizes = [("method", len(names)), ("condition", len(conditions)), *own_sweep]
    dims, shape = zip(*sizes, ("seed", len(seeds)), strict=True)
    places = [(name, place) for name in names for place in product(conditions, steps)]
    nothing = np.full(len(seeds), np.nan)
    diagnostics = {name: Quantity(name, text) for name, text in surgery.diagnostics.items()}
    for name, quantity in {**scorer.quantities, **diagnostics}.items():
        values = np.array([scores.get(place, {}).get(name, nothing) for place in places])
        missing = scorer.why_missing(name)
        long_name, units = quantity.long_name, quantity.units
        yield name, Variable(dims, values.reshape(shape), long_name, units, missing)
