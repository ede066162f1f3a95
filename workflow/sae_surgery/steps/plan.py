"""Print what a run will cost, before anything is submitted."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from sae_surgery import config as configuration
from sae_surgery.errors import SurgeryError
from sae_surgery.plan import as_text, read_summary, summarise

DEFAULT = Path("config/quick.yaml")


def plan(config_path: Path) -> None:
    """Print jobs, hours, memory and disk by step, for a configuration laid over the default one.

    Which jobs are done already is asked of Snakemake, in the folder of the Snakefile.

    Raises
    ------
    SurgeryError
        If the configuration is not valid, or Snakemake refuses it.
    """
    if not DEFAULT.exists():
        raise SurgeryError(f"{DEFAULT}: there is no such file; call this in the project's folder")
    if not config_path.exists():
        raise SurgeryError(f"{config_path}: there is no such file")
    merged = _merge(yaml.safe_load(DEFAULT.read_text()), yaml.safe_load(config_path.read_text()))
    run = configuration.load(merged)
    command = [sys.executable, "-m", "snakemake", "--summary", "--configfile", str(config_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SurgeryError(f"snakemake --summary failed:\n{done.stderr.strip()}")
    print(as_text(summarise(read_summary(done.stdout), run)))


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one configuration over another as Snakemake does: mappings are merged, all else wins."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both else value
    return merged
