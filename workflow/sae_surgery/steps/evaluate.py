"""Score the codes of all methods on one cell."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from sae_surgery import metrics
from sae_surgery.errors import SurgeryError
from sae_surgery.files import store
from sae_surgery.files.codes import Codes
from sae_surgery.files.data import CellData
from sae_surgery.files.store import Origin, Variable
from sae_surgery.machine.progress import track
from sae_surgery.machine.provenance import source_digest
from sae_surgery.tables.scoring import Scored, Scorer, read_decoder


def evaluate(
    data_path: Path,
    codes_paths: Sequence[Path],
    model_paths: Sequence[Path],
    protocol: str,
    output: Path,
) -> None:
    """Write the metrics of each method and seed; NaN where a method was skipped or diverged.

    Raises
    ------
    SurgeryError
        If a file is not as it must be, or codes and models do not belong together.
    """
    if len(codes_paths) != len(model_paths):
        counts = f"{len(model_paths)} files for {len(codes_paths)} codes files"
        raise SurgeryError(f"--models: {counts}; give one each")
    data = CellData(data_path)
    scorer = Scorer(data, protocol)
    all_codes, all_scored = [], []
    for codes_path, model_path in zip(codes_paths, model_paths, strict=True):
        codes = Codes(codes_path, data)
        decoder = read_decoder(model_path, codes, data)
        if codes.status != "ok":
            print(f"{codes.method}: {codes.status}", file=sys.stderr)
        all_scored.append(Scored(codes, **decoder, lam=codes.lam))
        all_codes.append(codes)
    scores = scorer.score(all_scored, track)
    origin = Origin(
        title=f"Metrics on {data.cell.name}, protocol {protocol}",
        settings={"protocol": protocol},
        code=source_digest(__name__, *metrics.modules(protocol)),
        inputs={"data": data.digest} | {codes.method: codes.digest for codes in all_codes},
    )
    variables = _variables(scores, scorer, all_codes, data)
    store.write(output, "metrics", variables, origin, cell=data.cell.name, protocol=protocol)


def _variables(
    scores: list[dict[str, np.ndarray]], scorer: Scorer, all_codes: list[Codes], data: CellData
) -> Iterator[tuple[str, Variable]]:
    names = np.array([codes.method for codes in all_codes])
    yield "method", Variable(("method",), names, "name of the method", None)
    seeds = np.array(data.seeds, np.int64)
    yield "seed", Variable(("seed",), seeds, "seed of the random stream")
    statuses = np.array([codes.status for codes in all_codes])
    yield "status", Variable(("method",), statuses, "ok, or why scores are missing", None)
    for name, quantity in scorer.quantities.items():
        values = np.stack([score[name] for score in scores])
        missing = scorer.why_missing(name)
        dims = ("method", "seed")
        yield name, Variable(dims, values, quantity.long_name, quantity.units, missing)
