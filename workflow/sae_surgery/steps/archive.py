"""Pack the results of a run, so that a fresh clone of the project finds nothing left to do."""

from pathlib import Path

import yaml

from sae_surgery import config as configuration
from sae_surgery import configfile
from sae_surgery.archive import pack
from sae_surgery.errors import SurgeryError


def archive(config_path: Path, output: Path | None) -> None:
    """Write the archive of a finished run, by default as `<run>.tar.gz`.

    Raises
    ------
    SurgeryError
        If the configuration is not valid, or its run is not finished.
    """
    config = configfile.read(config_path)
    run = configuration.load(config)
    folder = Path("results", run.name)
    if "Nothing to be done" not in configfile.ask_snakemake(config_path, "--dry-run"):
        raise SurgeryError(f"{folder}: not finished; `snakemake --dry-run` tells what is left")
    output = output or Path(f"{run.name}.tar.gz")
    pack(folder, yaml.safe_dump(config), output)
    print(f"{output}: unpacked in a clone of the same commit, it leaves nothing to be done by")
    print(f"snakemake --configfile {folder}/config.yaml")
