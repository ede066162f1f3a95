"""`snakemake --profile slurm all`, typed as it is, plans the full paper."""

import subprocess
import sys

import pytest

from project import SECONDS, new_project


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return new_project(tmp_path_factory.mktemp("profile") / "project")


def plan(project, *arguments):
    """Return what a dry run with the profile says."""
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--profile", "slurm", "all", "-n", *arguments],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        timeout=SECONDS,
        encoding="utf-8",
        check=True,
    ).stdout


def test_it_plans_the_paper(project):
    said = plan(project)
    assert "results/paper/models/n10000_k10_m139_s5000/fista_oracle.nc" in said
    assert "results/quick" not in said


def test_another_configuration_takes_its_place(project):
    said = plan(project, "--configfile", "config/quick.yaml")
    assert "results/quick/models/" in said
    assert "results/paper" not in said
