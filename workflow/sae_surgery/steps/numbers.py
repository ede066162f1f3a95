"""Collect every number that the manuscript may quote, with where each is from."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from sae_surgery import __version__, figures, methods
from sae_surgery.errors import SurgeryError
from sae_surgery.files import store
from sae_surgery.machine.atomic import write_text
from sae_surgery.pages import numbers as quotable
from sae_surgery.record.manifest import source

Pages = dict[str, Path | None]


def numbers(
    table_paths: Sequence[Path],
    claims_path: Path | None,
    verdict_path: Path | None,
    comparison_path: Path | None,
    output: Path,
) -> None:
    """Write `numbers.json`: numbers by key, and for each file that they are from its digest.

    Files are named relative to the folder of `output`.

    Raises
    ------
    SurgeryError
        If a table or page is not as it must be, or tables are of several runs.
    """
    tables = {path: store.read(path, "table") for path in table_paths}
    paths = {"claims": claims_path, "verdict": verdict_path, "comparison": comparison_path}
    pages = {name: _page(path, name) for name, path in paths.items() if path is not None}
    sources = [*tables, *(path for path in paths.values() if path is not None)]
    names = {path: _relative(path, output) for path in sources}
    found: quotable.Numbers = {}
    for path, table in tables.items():
        found |= quotable.of_table(table, names[path])
    for name, page in pages.items():
        found |= _OF_PAGES[name](page, names[paths[name]])
    described = {table.attrs["experiment"]: quotable.described(table) for table in tables.values()}
    document = {
        "made_from": _made_from(tables),
        "sources": {name: digest(path) for path, name in names.items()},
        "known": _known(tables.values()),
        "experiments": described,
        "figures": _drawn([*described]),
        "claims": quotable.claim_rows(pages["claims"]) if "claims" in pages else [],
        "verdict": quotable.verdict_rows(pages["verdict"]) if "verdict" in pages else [],
        "compared": _compared(pages.get("comparison")),
        "differing": quotable.differing_rows(pages["comparison"]) if "comparison" in pages else [],
        "numbers": quotable.as_entries(found),
    }
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    write_text(output, text + "\n")


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


_OF_PAGES: dict[str, Callable[[pd.DataFrame, str], quotable.Numbers]] = {
    "claims": quotable.of_claims,
    "verdict": quotable.of_verdict,
    "comparison": quotable.of_comparison,
}


def _page(path: Path, name: str) -> pd.DataFrame:
    try:
        rows = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise SurgeryError(f"{path}: cannot be read as a table: {error}") from error
    lacking = set(quotable.COLUMNS[name]) - set(rows)
    if lacking:
        raise SurgeryError(f"{path}: lacks the column {', '.join(sorted(lacking))}")
    return rows


def _relative(path: Path, output: Path) -> str:
    try:
        return Path(os.path.abspath(path)).relative_to(os.path.abspath(output.parent)).as_posix()
    except ValueError as error:
        raise SurgeryError(
            f"{path}: is not below {output.parent}, the folder of {output}"
        ) from error


def _made_from(tables: dict[Path, Any]) -> dict[str, Any]:
    """Return run, protocol, seeds, source and versions; all tables must share run and protocol."""
    told: dict[str, Any] = {}
    for name in ("run", "protocol"):
        values = sorted({table.attrs[name] for table in tables.values()})
        if len(values) > 1:
            raise SurgeryError(f"--tables: of several {name}s: {', '.join(values)}")
        (told[name],) = values
    versions: dict[str, set[str]] = {"sae-surgery": {__version__}}
    for table in tables.values():
        for name, version in json.loads(table.attrs["versions"]).items():
            versions.setdefault(name, set()).add(version)
    seeds = {int(seed) for table in tables.values() for seed in table["seed"].values}
    versions_text = {name: " and ".join(sorted(found)) for name, found in versions.items()}
    return {**told, "seeds": sorted(seeds), **source(), "versions": versions_text}


def _compared(rows: pd.DataFrame | None) -> list[str]:
    """Return the experiments whose published numbers are compared."""
    return [] if rows is None else rows["experiment"].unique().tolist()


def _drawn(experiments: Sequence[str]) -> dict[str, str]:
    """Return the figures that are drawn from these experiments, with their captions."""
    names = [name for name in figures.available() if set(figures.inputs(name)) <= {*experiments}]
    return {name: figures.load(name).QUESTION for name in names}


def _known(tables: Iterable[xr.Dataset]) -> dict[str, Sequence[str]]:
    """Return the names that the text may ask for, made by this run or not."""
    here = (name for table in tables for name in table["method"].values.tolist())
    names = dict.fromkeys([*methods.available(), *here, *quotable.GROUPS])
    return {"experiments": figures.available(), "methods": [*names]}
