"""Print what a run will cost, before anything is submitted."""

from pathlib import Path

from sae_surgery.plan import configfile
from sae_surgery.plan.summary import as_text, read_summary, summarise


def plan(config_path: Path) -> None:
    """Print jobs, hours, memory and disk by step, for a configuration laid over the default one.

    Which jobs are done already is asked of Snakemake, in the folder of the Snakefile.

    Raises
    ------
    SurgeryError
        If the configuration is not valid, or Snakemake refuses it.
    """
    run = configfile.load(configfile.read_computing(config_path))
    jobs = read_summary(configfile.summary(config_path), run)
    print(as_text(summarise(jobs, run)))
