"""Profiles: what is asked for is the same however it is spelt, and all cores where nothing is."""

import os
import subprocess
import sys

import pytest

from project import SECONDS, Project

PARSE = """
import sys
from snakemake import cli
_, given = cli.parse_args(sys.argv[1:])
print(given.executor, given.cores, given.jobs, given.logger, given.rerun_incomplete)
"""
ON_SLURM = "slurm-steady 8 100 ['failures'] True"
ALL = len(os.sched_getaffinity(0))
MINE = {"mine": "keep-going: true", "three": "cores: 3"}


@pytest.fixture
def project(fresh) -> Project:
    for name, text in MINE.items():
        (fresh.folder / name).mkdir()
        (fresh.folder / name / "profile.yaml").write_text(text)
    return fresh


def given(project: Project, *arguments: str, **environment: str) -> str:
    """Return what Snakemake takes from its command line and all profiles."""
    return subprocess.run(
        [sys.executable, "-c", PARSE, *arguments],
        cwd=project.folder,
        env=project.environment | environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    ).stdout.strip()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--profile", "slurm"],
        ["--profile=slurm", "all"],
        ["--prof", "slurm", "--configfile", "tiny.yaml"],
        ["--workflow-profile", "slurm"],
        ["--profile", "mine", "--profile", "slurm", "--dry-run"],
    ],
)
def test_a_cluster_s_profile_is_the_same_however_it_is_spelt(project, arguments):
    assert given(project, *arguments) == ON_SLURM


def test_a_cluster_s_profile_is_the_same_by_the_environment(project):
    assert given(project, SNAKEMAKE_PROFILE="slurm") == ON_SLURM


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], f"None {ALL} None"),
        (["--profile", "mine"], f"None {ALL} None"),
        (["--profile", "none"], f"None {ALL} None"),
        (["--executor", "local"], f"local {ALL} None"),
        (["--profile", "three"], "None 3 None"),
        (["--profile", "three", "-c1"], "None 1 None"),
        (["-j", "4"], "None None 4"),
        (["--exec", "slurm", "-j4"], "slurm None 4"),
        (["-e", "slurm-steady"], "slurm-steady None None"),
    ],
)
def test_all_cores_are_used_where_nothing_says_otherwise(project, arguments, expected):
    assert given(project, *arguments) == f"{expected} ['failures'] True"


def test_a_profile_of_one_s_own_needs_no_cores(project):
    project.environment["SNAKEMAKE_PROFILE"] = "mine"
    project.configure(methods=["raw"])
    project.succeed("data")
