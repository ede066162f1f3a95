"""Correct the scores of all methods on one cell, one choice of their making at a time."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from sae_surgery import store
from sae_surgery.audit import CORRECTIONS, SCORES, corrected
from sae_surgery.codes import Codes
from sae_surgery.data import CellData
from sae_surgery.errors import SurgeryError
from sae_surgery.metrics.panel import DESCRIPTIONS
from sae_surgery.progress import track
from sae_surgery.provenance import source_digest
from sae_surgery.scoring import MISSING, Scorer, read_dictionary
from sae_surgery.store import Origin, Variable


def audit(
    data_path: Path,
    fresh_path: Path,
    model_paths: Sequence[Path],
    codes_paths: Sequence[Path],
    fresh_codes_paths: Sequence[Path],
    strict_model_paths: Sequence[Path],
    strict_codes_paths: Sequence[Path],
    fresh_strict_codes_paths: Sequence[Path],
    output: Path,
) -> None:
    """Write each score, as published and by correction, for each method and seed.

    Lists of files name the methods in the same order.

    Raises
    ------
    SurgeryError
        If a file is not as it must be, or the lists do not go together.
    """
    data, fresh = CellData(data_path), CellData(fresh_path)
    if fresh.root != data.digest:
        raise SurgeryError(f"{fresh_path}: not made from {data_path}")
    auditor = _Auditor(data, fresh)
    lists = (
        model_paths,
        codes_paths,
        fresh_codes_paths,
        strict_model_paths,
        strict_codes_paths,
        fresh_strict_codes_paths,
    )
    if len({len(paths) for paths in lists}) > 1:
        counts = ", ".join(str(len(paths)) for paths in lists)
        raise SurgeryError(f"lists of models and codes must be equally long, got {counts} files")
    files = list(zip(*lists, strict=True))
    found = [auditor.audit(*paths) for paths in track(files, f"auditing {data.cell.name}")]
    origin = Origin(
        title=f"Audit of the scores on {data.cell.name}",
        code=source_digest(__name__),
        inputs={"data": data.digest, "fresh": fresh.digest}
        | {codes.method: codes.digest for codes, _ in found},
    )
    variables = _variables(found, data)
    store.write(output, "metrics", variables, origin, cell=data.cell.name, protocol="strict")


class _Auditor:
    """Scores the methods of a cell, whose data are read once."""

    def __init__(self, data: CellData, fresh: CellData) -> None:
        self.data, self.fresh = data, fresh
        self.published, self.remeasured = Scorer(data, "paper"), Scorer(data, "strict")
        self.resampled, self.strict = Scorer(fresh, "paper"), Scorer(fresh, "strict")

    def audit(
        self,
        model_path: Path,
        codes_path: Path,
        fresh_codes_path: Path,
        strict_model_path: Path,
        strict_codes_path: Path,
        fresh_strict_codes_path: Path,
    ) -> tuple[Codes, dict[str, dict[str, np.ndarray]]]:
        """Return the published codes of a method, and its scores by correction."""
        codes, refitted = Codes(codes_path, self.data), Codes(strict_codes_path, self.data)
        again = Codes(fresh_codes_path, self.fresh)
        strict = Codes(fresh_strict_codes_path, self.fresh)
        for path, each in (
            (strict_codes_path, refitted),
            (fresh_codes_path, again),
            (fresh_strict_codes_path, strict),
        ):
            if each.method != codes.method:
                raise SurgeryError(f"{path}: codes of {each.method}, not of {codes.method}")
        if codes.status != "ok":
            print(f"{codes.method}: {codes.status}", file=sys.stderr)
        old = read_dictionary(model_path, codes, self.data)
        new = read_dictionary(strict_model_path, refitted, self.data)
        return codes, corrected(
            {
                "published": self.published.score(codes, old),
                "remeasured": self.remeasured.score(codes, old),
                "resampled": self.resampled.score(again, old),
                "refitted": self.published.score(refitted, new),
                "strict": self.strict.score(strict, new),
            }
        )


def _variables(
    found: list[tuple[Codes, dict[str, dict[str, np.ndarray]]]], data: CellData
) -> Iterator[tuple[str, Variable]]:
    names = np.array([codes.method for codes, _ in found])
    yield "method", Variable(("method",), names, "name of the method", None)
    statuses = np.array([codes.status for codes, _ in found])
    yield "status", Variable(("method",), statuses, "ok, or why there is none", None)
    corrections = np.array(list(CORRECTIONS), dtype=object)
    yield "condition", Variable(("condition",), corrections, "what alone is corrected", None)
    seeds = np.array(data.seeds, np.int64)
    yield "seed", Variable(("seed",), seeds, "seed of the random stream")
    nothing = np.full(len(seeds), np.nan)
    for score in SCORES:
        values = [
            [scores.get(name, {}).get(score, nothing) for name in CORRECTIONS]
            for _, scores in found
        ]
        long_name, units = DESCRIPTIONS[score]
        dims = ("method", "condition", "seed")
        yield score, Variable(dims, np.array(values), long_name, units, MISSING)
