"""Correct the scores of all methods on one cell, one choice of their making at a time."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sae_surgery import metrics
from sae_surgery.errors import SurgeryError
from sae_surgery.files import store
from sae_surgery.files.codes import Codes
from sae_surgery.files.data import CellData
from sae_surgery.files.store import Origin, Variable
from sae_surgery.machine.progress import track
from sae_surgery.machine.provenance import source_digest
from sae_surgery.tables.corrections import CORRECTIONS, SCORES, corrected
from sae_surgery.tables.scoring import MISSING, Scored, Scorer, read_decoder


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
    audited = [_open(data, fresh, *paths) for paths in files]
    found = _score(audited, data, fresh)
    origin = Origin(
        title=f"Audit of the scores on {data.cell.name}",
        code=source_digest(__name__, *metrics.modules("paper"), *metrics.modules("strict")),
        inputs={"data": data.digest, "fresh": fresh.digest}
        | {each.published.codes.method: each.published.codes.digest for each in audited},
    )
    variables = _variables([each.published.codes for each in audited], found, data)
    store.write(output, "metrics", variables, origin, cell=data.cell.name, protocol="strict")


class _Audited(NamedTuple):
    """What is scored of one method."""

    published: Scored
    resampled: Scored
    """The published model's codes of the fresh samples."""
    refitted: Scored
    """The strict model's codes of the published samples."""
    strict: Scored
    """The strict model's codes of the fresh samples."""


def _open(
    data: CellData,
    fresh: CellData,
    model_path: Path,
    codes_path: Path,
    fresh_codes_path: Path,
    strict_model_path: Path,
    strict_codes_path: Path,
    fresh_strict_codes_path: Path,
) -> _Audited:
    """Open the files of a method and see that they are of the same one."""
    codes, refitted = Codes(codes_path, data), Codes(strict_codes_path, data)
    again, strict = Codes(fresh_codes_path, fresh), Codes(fresh_strict_codes_path, fresh)
    for path, each in (
        (strict_codes_path, refitted),
        (fresh_codes_path, again),
        (fresh_strict_codes_path, strict),
    ):
        if each.method != codes.method:
            raise SurgeryError(f"{path}: codes of {each.method}, not of {codes.method}")
    old = read_decoder(model_path, codes, data)
    new = read_decoder(strict_model_path, refitted, data)
    return _Audited(
        Scored(codes, **old), Scored(again, **old), Scored(refitted, **new), Scored(strict, **new)
    )


def _score(
    audited: Sequence[_Audited], data: CellData, fresh: CellData
) -> list[dict[str, dict[str, np.ndarray]]]:
    """Return the scores (seed,) of each method by correction."""
    for codes in (each.published.codes for each in audited):
        if codes.status != "ok":
            print(f"{codes.method}: {codes.status}", file=sys.stderr)
    paper, strict = Scorer(data, "paper"), Scorer(data, "strict")
    paper_fresh, strict_fresh = Scorer(fresh, "paper"), Scorer(fresh, "strict")
    scorings = {
        "published": paper.score([each.published for each in audited], track),
        "remeasured": strict.score([each.published for each in audited], track),
        "resampled": paper_fresh.score([each.resampled for each in audited], track),
        "refitted": paper.score([each.refitted for each in audited], track),
        "strict": strict_fresh.score([each.strict for each in audited], track),
    }
    by_method = zip(*scorings.values(), strict=True)
    return [corrected(dict(zip(scorings, each, strict=True))) for each in by_method]


def _variables(
    all_codes: list[Codes], found: list[dict[str, dict[str, np.ndarray]]], data: CellData
) -> Iterator[tuple[str, Variable]]:
    names = np.array([codes.method for codes in all_codes])
    yield "method", Variable(("method",), names, "name of the method", None)
    statuses = np.array([codes.status for codes in all_codes])
    yield "status", Variable(("method",), statuses, "ok, or why there is none", None)
    corrections = np.array(list(CORRECTIONS), dtype=object)
    yield "condition", Variable(("condition",), corrections, "what alone is corrected", None)
    seeds = np.array(data.seeds, np.int64)
    yield "seed", Variable(("seed",), seeds, "seed of the random stream")
    nothing = np.full(len(seeds), np.nan)
    described = metrics.quantities("paper")
    for score in SCORES:
        values = [
            [scores.get(name, {}).get(score, nothing) for name in CORRECTIONS] for scores in found
        ]
        quantity = described[score]
        dims = ("method", "condition", "seed")
        long_name, units = quantity.long_name, quantity.units
        yield score, Variable(dims, np.array(values), long_name, units, MISSING)
