"""Configurations from wherever they come, and what Snakemake says of the run they describe.

Snakemake reads them too, but by YAML 1.1, without a word on a key that is given twice, and values
of `--config` as numbers or texts whatever they are. So all is read here again.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sae_surgery.errors import SurgeryError
from sae_surgery.plan import config as configuration
from sae_surgery.plan.config import ConfigError, Run
from sae_surgery.plan.documents import Document, parse_yaml, read_yaml
from sae_surgery.plan.schemas import join

DEFAULT = Path("config/quick.yaml")
COMPUTES = "redraw=false"
"""What makes any configuration one of a run that computes."""


def read(paths: Iterable[Path], entries: Iterable[str] = ()) -> Document:
    """Return files laid over each other, and over all of them what `--config` says.

    Parameters
    ----------
    entries
        Texts `key=value`; a value is read as it would be in a file.

    Raises
    ------
    SurgeryError
        If a file or value cannot be read, or is not what a configuration can hold.
    """
    parts, problems = [], []
    for source, each in [(_read_file, path) for path in paths] + [(_entry, e) for e in entries]:
        try:
            parts.append(source(each))
        except SurgeryError as error:
            problems.append(str(error))
    if problems:
        raise SurgeryError("\n".join(problems))
    value: dict[str, Any] = {}
    places: dict[str, str] = {}
    for part in parts:
        value = _merge(value, part.value)
        places |= part.places
    return Document(value, places)


def read_computing(path: Path) -> Document:
    """Return a file laid over the default one, of a run that computes.

    Raises
    ------
    SurgeryError
        If there is no such file, or this is not the project's folder.
    """
    if not DEFAULT.exists():
        raise SurgeryError(f"{DEFAULT}: there is no such file; call this in the project's folder")
    return read([DEFAULT, path], [COMPUTES])


def load(given: Document) -> Run:
    """Check a configuration and expand it.

    Raises
    ------
    ConfigError
        If anything is wrong with it; each problem says in which file and line.
    """
    try:
        return configuration.load(given.value)
    except ConfigError as error:
        raise ConfigError(_located(line, given.places) for line in error.problems) from None


def summary(path: Path) -> str:
    """Return Snakemake's summary of all files of a run that computes: which are there and current.

    Raises
    ------
    SurgeryError
        If Snakemake refuses.
    """
    command = [sys.executable, "-m", "snakemake", "--summary", "--configfile", str(path)]
    command += ["--config", COMPUTES]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        raise SurgeryError(f"snakemake --summary failed:\n{done.stderr.strip()}")
    return done.stdout


def _read_file(path: Path) -> Document:
    below = Path(os.path.relpath(path))
    shown = path if ".." in below.parts else below
    read = read_yaml(shown, configuration.schema())
    if not isinstance(read.value, Mapping):
        kinds = {type(None): "nothing", list: "a list"}
        holds = kinds.get(type(read.value), f"the text or number {str(read.value)[:40]!r}")
        wanted = "keys with values are needed, such as `run: mine` (see config/README.md)"
        raise SurgeryError(f"{shown}: holds {holds}; {wanted}")
    return read


def _entry(entry: str) -> Document:
    key, _, text = entry.partition("=")
    schema = configuration.schema()["properties"].get(key, {})
    name = f"--config {key}"
    read = parse_yaml(text, name, schema, key)
    return Document({key: read.value}, dict.fromkeys([key, *read.places], name))


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one configuration over another as Snakemake does: mappings are merged, all else wins."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _located(problem: str, places: Mapping[str, str]) -> str:
    """Put in front of a problem where the nearest key stands that is given."""
    key, _, said = problem.partition(": ")
    unknown = re.match(r"unknown (?:key|setting) '(.+?)'", said)
    if unknown:
        key = join("" if key == "configuration" else key, unknown[1])
    while key and key not in places:
        key = key.rpartition(".")[0]
    return f"{places[key]}: {problem}" if key else problem
