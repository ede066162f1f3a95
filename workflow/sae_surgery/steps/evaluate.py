"""Score the codes of all methods on one cell."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from sae_surgery import store
from sae_surgery.codes import Codes
from sae_surgery.data import CellData
from sae_surgery.errors import SurgeryError
from sae_surgery.metrics.panel import DESCRIPTIONS, paper_panel
from sae_surgery.progress import track
from sae_surgery.provenance import source_digest
from sae_surgery.store import Origin, Variable

PROTOCOLS = {"paper": paper_panel}


def evaluate(
    data_path: Path,
    codes_paths: Sequence[Path],
    model_paths: Sequence[Path],
    protocol: str,
    output: Path,
) -> None:
    """Write the metrics of each method and seed; NaN for methods that were skipped.

    Raises
    ------
    SurgeryError
        If a file is not as it must be, or codes and models do not belong together.
    """
    if len(codes_paths) != len(model_paths):
        raise SurgeryError(
            f"--models: {len(model_paths)} files for {len(codes_paths)} codes files; give one each"
        )
    data = CellData(data_path)
    all_codes = [Codes(path, data) for path in codes_paths]
    dictionaries = [
        _dictionary(path, codes, data) for path, codes in zip(model_paths, all_codes, strict=True)
    ]
    pairs = list(zip(all_codes, dictionaries, strict=True))
    scores = [
        _score(codes, dictionary, data, protocol)
        for codes, dictionary in track(pairs, f"scoring {data.cell.name}")
    ]
    origin = Origin(
        title=f"Metrics on {data.cell.name}, protocol {protocol}",
        settings={"protocol": protocol},
        code=source_digest(__name__),
        inputs={"data": data.digest} | {codes.method: codes.digest for codes in all_codes},
    )
    variables = _variables(scores, all_codes, data)
    store.write(output, "metrics", variables, origin, cell=data.cell.name, protocol=protocol)


def _dictionary(path: Path, codes: Codes, data: CellData) -> np.ndarray | None:
    """Return a model's dictionary (seed, obs, atom), or None if it has none."""
    model = store.read(path, "model", {"data": data.digest})
    if model.attrs["method"] != codes.method:
        raise SurgeryError(
            f"{path}: a model of {model.attrs['method']}, but codes of {codes.method}"
        )
    return model["dictionary"].values if "dictionary" in model else None


def _score(
    codes: Codes, dictionary: np.ndarray | None, data: CellData, protocol: str
) -> list[Mapping[str, float]]:
    """Return the metrics by name for each seed."""
    if codes.status != "ok":
        print(f"{codes.method}: {codes.status}", file=sys.stderr)
        return [{} for _ in data.seeds]
    truth = data.dictionary()
    return [
        PROTOCOLS[protocol](
            true_id=data.true_codes("val", index),
            codes_id=codes.dense("val", index),
            labels_id=data.labels("val", index),
            true_ood=data.true_codes("ood", index),
            codes_ood=codes.dense("ood", index),
            labels_ood=data.labels("ood", index),
            dictionary=None if dictionary is None else dictionary[index],
            truth=truth[index],
        )
        for index in range(len(data.seeds))
    ]


def _variables(
    scores: list[list[Mapping[str, float]]], all_codes: list[Codes], data: CellData
) -> Iterator[tuple[str, Variable]]:
    names = np.array([codes.method for codes in all_codes])
    yield "method", Variable(("method",), names, "name of the method", None)
    yield "seed", Variable(("seed",), np.array(data.seeds, np.int64), "seed of the random stream")
    statuses = np.array([codes.status for codes in all_codes])
    yield "status", Variable(("method",), statuses, "ok, or why the method was skipped", None)
    for name, (long_name, units) in DESCRIPTIONS.items():
        values = np.array([[score.get(name, np.nan) for score in seeds] for seeds in scores])
        missing = "method skipped, or metric not defined for it"
        yield name, Variable(("method", "seed"), values, long_name, units, missing)
