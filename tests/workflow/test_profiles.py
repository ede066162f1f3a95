"""Profiles: what is asked for is the same however it is spelt, and all cores where nothing is."""

import json
import os
import subprocess
import sys

import pytest

from project import SECONDS, new_project

PARSE = """
import json, os, sys
from snakemake import cli
found = []
for words, environment in json.load(sys.stdin):
    os.environ.update(environment)
    sys.argv[1:] = words
    _, given = cli.parse_args(words)
    found.append([given.executor, given.cores, given.jobs, given.logger, given.rerun_incomplete])
    for name in environment:
        del os.environ[name]
print(json.dumps(found))
"""
PROFILES = {"mine": "keep-going: true", "three": "cores: 3"}
ALL = len(os.sched_getaffinity(0))
ON_SLURM = ("slurm-steady", 8, 100)
CASES = [
    (["--profile", "slurm"], {}, ON_SLURM),
    (["--profile=slurm", "all"], {}, ON_SLURM),
    (["--prof", "slurm", "--configfile", "tiny.yaml"], {}, ON_SLURM),
    (["--workflow-profile", "slurm"], {}, ON_SLURM),
    (["--profile", "mine", "--profile", "slurm", "--dry-run"], {}, ON_SLURM),
    ([], {"SNAKEMAKE_PROFILE": "slurm"}, ON_SLURM),
    (["-e", "slurm-steady"], {}, ("slurm-steady", None, None)),
    (["--exec", "slurm", "-j4"], {}, ("slurm", None, 4)),
    ([], {}, (None, ALL, None)),
    (["--profile", "mine"], {}, (None, ALL, None)),
    ([], {"SNAKEMAKE_PROFILE": "mine"}, (None, ALL, None)),
    (["--profile", "none"], {}, (None, ALL, None)),
    (["--executor", "local"], {}, ("local", ALL, None)),
    (["--profile", "three"], {}, (None, 3, None)),
    (["--profile", "three", "-c1"], {}, (None, 1, None)),
    (["-j", "4"], {}, (None, None, 4)),
]


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> list[list[object]]:
    """Return what Snakemake takes from each command line, its environment and all profiles."""
    project = new_project(tmp_path_factory.mktemp("profiles") / "project")
    for name, text in PROFILES.items():
        (project.folder / name).mkdir()
        (project.folder / name / "profile.yaml").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", PARSE],
        input=json.dumps([(words, environment) for words, environment, _ in CASES]),
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
        encoding="utf-8",
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("case", range(len(CASES)))
def test_a_profile_is_the_same_however_it_is_spelt_and_all_cores_where_none_is_given(given, case):
    _, _, expected = CASES[case]
    assert given[case] == [*expected, ["failures"], True]
