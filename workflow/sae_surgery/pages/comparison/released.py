"""The authors' released result files: one JSON list of flat rows a file, one row a seed."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from sae_surgery.errors import SurgeryError
from sae_surgery.pages.comparison.authors import METRICS, SOURCES, Place, translate
from sae_surgery.pages.comparison.findings import Finding, examine
from sae_surgery.pages.comparison.reproduced import at_last_step

NUMBER = ["source", *Place._fields, "metric", "seed"]
"""Columns that say which number a row holds."""


class Released(NamedTuple):
    """What a folder of released files holds."""

    numbers: pd.DataFrame
    """Columns `NUMBER` and value; numbers that are there more than once are left out."""
    findings: tuple[Finding, ...]
    """What is not as it should be, but stops nobody."""


def read_released(folder: Path) -> Released:
    """Read the files named in `SOURCES` from a folder laid out as the authors' `results`.

    Raises
    ------
    SurgeryError
        If the folder holds none of the files, or one of them is not laid out as they are.
    """
    if not folder.is_dir():
        raise SurgeryError(f"{folder}: there is no such folder")
    named = [(source, file) for source, theirs in SOURCES.items() for file in theirs.files]
    present = [(source, file) for source, file in named if (folder / file).is_file()]
    found = {file for _, file in present}
    if not present:
        wanted = ", ".join(theirs.files[0] for theirs in SOURCES.values())
        raise SurgeryError(f"{folder}: holds none of the released files, such as {wanted}")
    absent = [Finding(file, "there is no such file") for _, file in named if file not in found]
    frame = pd.DataFrame(number for each in present for number in _numbers(folder, *each))
    single = frame[~frame.duplicated(NUMBER, keep=False)][[*NUMBER, "value"]]
    dynamics = single[single["source"] == "learning_dynamics"]
    numbers = pd.concat([single, at_last_step(dynamics)], ignore_index=True)
    return Released(numbers, (*absent, *examine(frame)))


def _numbers(folder: Path, source: str, file: str) -> Iterator[dict[str, Any]]:
    """Yield the numbers of a file."""
    path = folder / file
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SurgeryError(f"{path}: not readable as JSON: {error}") from error
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise SurgeryError(f"{path}: must be a list of objects, one a method and seed")
    for index, row in enumerate(content):
        try:
            yield from _numbers_of(row, source, file)
        except (SurgeryError, TypeError, ValueError) as error:
            raise SurgeryError(f"{path}: row {index} has an unknown layout: {error}") from error


def _numbers_of(row: Mapping[str, Any], source: str, file: str) -> Iterator[dict[str, Any]]:
    metrics = [key for key in METRICS if key in row]
    if not metrics or "seed" not in row:
        lacking = "'seed'" if metrics else "any metric, such as 'mcc_iid'"
        raise SurgeryError(f"lacks {lacking}; it has {', '.join(row)}")
    place = translate(source, row)
    common = {
        "file": file,
        "source": source,
        **place._asdict(),
        "theirs": row.get("method", row.get("sae_type")),
        "seed": int(row["seed"]),
        "best_dim": row.get("best_dim", -1),
    }
    for key in metrics:
        yield common | {"metric": METRICS[key], "value": float(row[key])}
