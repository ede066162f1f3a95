"""Configuration files as Snakemake reads them, and what Snakemake says of the run they describe."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from sae_surgery.errors import SurgeryError

DEFAULT = Path("config/quick.yaml")


def read(path: Path) -> dict[str, Any]:
    """Return a configuration file laid over the default one, of a run that computes.

    Raises
    ------
    SurgeryError
        If there is no such file, or this is not the project's folder.
    """
    if not DEFAULT.exists():
        raise SurgeryError(f"{DEFAULT}: there is no such file; call this in the project's folder")
    if not path.exists():
        raise SurgeryError(f"{path}: there is no such file")
    below, above = (yaml.safe_load(each.read_bytes()) for each in (DEFAULT, path))
    return _merge(below, above) | {"redraw": False}


def summary(path: Path) -> str:
    """Return Snakemake's summary of all files of a run that computes: which are there and current.

    Raises
    ------
    SurgeryError
        If Snakemake refuses.
    """
    command = [sys.executable, "-m", "snakemake", "--summary", "--configfile", str(path)]
    command += ["--config", "redraw=false"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        raise SurgeryError(f"snakemake --summary failed:\n{done.stderr.strip()}")
    return done.stdout


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one configuration over another as Snakemake does: mappings are merged, all else wins."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both else value
    return merged
