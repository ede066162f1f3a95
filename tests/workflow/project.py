"""A copy of the project with a tiny configuration, and Snakemake run in it as a user would."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from sae_surgery.machine.atomic import walk

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "config", "paper", "profiles", "slurm", "workflow")
SECONDS = 300
CELL = "n20_k3_m12_s200"
TINY = {
    "run": "tiny",
    "seeds": [0, 1],
    "methods": ["fista_oracle", "sae_relu", "linear_probe", "raw", "pca"],
    "experiments": ["latents", "samples"],
    "sweeps": {
        "latents": {"n_latents": [20], "k": [3], "n_samples": [200]},
        "samples": {"n_latents": [20], "k": [3], "n_samples": [200]},
    },
}


class Project:
    """A folder with the workflow's files, where Snakemake runs the tiny configuration."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.results = folder / "results" / "tiny"
        # The copy's package, not the installed one; and no environment activated.
        self.environment = {
            "HOME": os.environ["HOME"],
            "PATH": os.defpath,
            "PYTHONPATH": str(folder / "workflow"),
        }

    def configure(self, **changes) -> None:
        """Write the tiny configuration with some keys changed."""
        (self.folder / "tiny.yaml").write_text(yaml.safe_dump(TINY | changes), encoding="utf-8")

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", *arguments, "--configfile", "tiny.yaml"]

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        """Run Snakemake to its end; all that it says is in `stdout`."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            encoding="utf-8",
        )

    def succeed(self, *arguments: str) -> str:
        """Run Snakemake, which must end well, and return what it says."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def planned(self, *arguments: str) -> set[str]:
        """Return what would run, as `rule` or `rule wildcard-value`, but for collecting rules.

        Before a value stands the folder that the files are of, if it is not the paper protocol's.
        """
        shown = self.succeed("--dry-run", *arguments)
        jobs = re.findall(r"^(?:local)?rule (\w+):\n((?: .*\n)*)", shown, re.MULTILINE)
        planned = set()
        for rule, details in jobs:
            wildcards = dict(
                re.findall(r"(\w+)=([^,\s]+)", (details + "\n").split("wildcards:")[-1])
            )
            named = (
                wildcards.get("method") or wildcards.get("experiment") or wildcards.get("figure")
            )
            of = wildcards.get("of", "")
            planned.add(f"{rule} {of}{named}" if named else rule)
        assert planned or "Nothing to be done" in shown, shown
        collecting = {
            "all",
            "data",
            "models",
            "surgeries",
            "metrics",
            "tables",
            "figures",
            "verdict",
            "comparison",
            "claims",
            "index",
            "paper",
        }
        return planned - collecting

    def append(self, module: str, text: str) -> None:
        """Add a line to a module of the package."""
        path = self.folder / "workflow" / "sae_surgery" / module
        path.write_text(path.read_text(encoding="utf-8") + f"\n\n{text}\n", encoding="utf-8")

    def contents(self) -> dict[str, bytes]:
        """Return all results; logs, benchmarks and what tells of times aside."""
        kept = (
            path
            for path in walk(self.results)
            if path.suffix in {".nc", ".pdf", ".png", ".csv", ".md"} and path.stem != "timeline"
        )
        return {str(path.relative_to(self.results)): path.read_bytes() for path in kept}

    def differences(self, other: "Project") -> set[str]:
        """Return the names of results that another project lacks or has with other bytes."""
        return {name for name, _ in self.contents().items() ^ other.contents().items()}


def new_project(folder: Path) -> Project:
    folder.mkdir()
    for part in PARTS:
        source, target = ROOT / part, folder / part
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    project = Project(folder)
    project.configure()
    return project
