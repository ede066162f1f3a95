"""Pack the results of a run, so that a fresh clone of the project finds nothing left to do."""

from pathlib import Path

import yaml

from sae_surgery.errors import SurgeryError
from sae_surgery.plan import configfile
from sae_surgery.plan.summary import read_outputs
from sae_surgery.record.archive import pack


def archive(config_path: Path, output: Path | None) -> None:
    """Write the archive of a finished run, by default as `<run>.tar.gz`.

    Raises
    ------
    SurgeryError
        If the configuration is not valid, or its run is not finished.
    """
    config = configfile.read_computing(config_path)
    folder = Path("results", configfile.load(config).name)
    made = read_outputs(configfile.summary(config_path))
    left = [output.path for output in made if output.pending]
    if left:
        counted = f"{len(left)} files are missing or outdated, {left[0]} first"
        raise SurgeryError(f"{folder}: {counted}; run snakemake on {config_path} to its end")
    output = output or Path(f"{folder.name}.tar.gz")
    pack(folder, [Path(output.path) for output in made], yaml.safe_dump(config.value), output)
    print(f"{output}: unpacked in a clone of the same commit, it leaves nothing to be done by")
    print(f"snakemake --configfile {folder}/config.yaml")
