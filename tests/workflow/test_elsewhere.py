"""Snakemake called from elsewhere, among foreign modules, without a home, or of another clone."""

import subprocess
import sys
from pathlib import Path

import pytest

from project import CELL, ROOT, SECONDS, Project

SNAKEMAKE = Path(sys.executable).with_name("snakemake")
DATA = f"results/tiny/data/{CELL}.nc"


def call(project: Project, folder: Path, *arguments: str, **environment: str):
    """Run the program `snakemake` in a folder on the project's Snakefile."""
    return subprocess.run(
        [SNAKEMAKE, *arguments, "--configfile", project.folder / "tiny.yaml"],
        cwd=folder,
        env=project.environment | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        encoding="utf-8",
    )


@pytest.fixture
def elsewhere(fresh) -> Path:
    """Return a folder of the project whose files are called as modules are."""
    folder = fresh.folder / "mine"
    folder.mkdir()
    for name in ("random", "copy", "yaml", "numpy", "xarray", "statistics"):
        (folder / f"{name}.py").write_text(
            "raise SystemExit('a file of the user was imported')\n", encoding="utf-8"
        )
    return folder


@pytest.mark.parametrize("how", [("-s", "../Snakefile"), ("-s", "{0}/Snakefile", "-d", "{0}/mine")])
def test_steps_run_in_another_folder_among_foreign_modules(fresh, elsewhere, how):
    how = [word.format(fresh.folder) for word in how]
    folder = elsewhere if "-d" not in how else fresh.folder.parent
    done = call(fresh, folder, DATA, *how)
    assert done.returncode == 0, done.stdout
    assert (elsewhere / DATA).exists()
    planned = call(fresh, folder, "--dry-run", "paper", *how)
    assert planned.returncode == 0, planned.stdout
    assert "../paper/main.typ" in planned.stdout


def test_foreign_modules_beside_the_snakefile_and_in_pythonpath_are_not_imported(fresh, elsewhere):
    for path in elsewhere.glob("*.py"):
        (fresh.folder / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    shadow = elsewhere / "module"
    shadow.mkdir()
    # Of those that Snakemake itself does not need.
    (shadow / "xarray.py").write_text(
        "raise SystemExit('a module was imported')\n", encoding="utf-8"
    )
    named = f"{fresh.environment['PYTHONPATH']}:{shadow}"
    done = call(fresh, fresh.folder, DATA, PYTHONPATH=named)
    assert done.returncode == 0, done.stdout


def test_another_clones_snakemake_is_refused(fresh):
    done = call(fresh, fresh.folder, "--dry-run", PYTHONPATH="")
    assert done.returncode != 0
    assert str(fresh.folder) in done.stdout and str(ROOT) in done.stdout
    assert "make setup" in done.stdout


def test_without_a_home_caches_go_to_the_project(fresh):
    done = call(fresh, fresh.folder, DATA, HOME="/dev/null/nobody")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("cannot be written to") == 1
    assert (fresh.folder / ".cache" / "snakemake").is_dir()
