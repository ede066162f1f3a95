"""The newcomer's guide: its examples, saved as printed, work and pass the contract tests."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/adding.md").read_text(encoding="utf-8")
FILES = re.findall(r"Save this as `([^`]+)`[^`]*?\n\n```\w+\n(.*?)```\n", GUIDE, re.DOTALL)
"""Path and text of each file that is to be saved."""
COMMANDS = [found.strip() for found in re.findall(r"^snakemake ([^#\n]*)", GUIDE, re.MULTILINE)]
"""What Snakemake is asked for, without its name."""
TESTS = (
    "contract/newcomers.py",
    "contract/test_methods.py",
    "contract/test_surgeries.py",
    "contract/test_metrics.py",
    "contract/test_problems.py",
    "unit/test_figures.py",
)
HELPERS = (
    *("conftest.py", "browser.py", "debian.py"),
    *("contract/bench.py", "contract/conftest.py", "unit/figure_tables.py"),
)
NAMES = [Path(path).stem for path, _ in FILES if path.endswith(".py")]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Copy the package and its contract tests, and save the examples among them."""
    folder = tmp_path_factory.mktemp("project")
    # Not what a process beside is writing; compiled loops come along, or compiling takes a minute.
    unfinished = shutil.ignore_patterns("*.pyc.*", "*.tmp*")
    for path in ("workflow", "config", "profiles"):
        shutil.copytree(ROOT / path, folder / path, ignore=unfinished)
    shutil.copy(ROOT / "Snakefile", folder)
    for path in (*TESTS, *HELPERS):
        (folder / "tests" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "tests" / path, folder / "tests" / path)
    for path, text in FILES:
        assert not (folder / path).exists()
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def test_each_kind_of_part_has_one_example_and_nothing_else_is_printed_as_a_file():
    folders = [path.split("/")[-2] for path, _ in FILES]
    kinds = ["surgeries", "metrics", "figures", "problems"]
    assert folders == ["methods", "config", *kinds, "config"]
    assert len(re.findall(r"^```(?:python|yaml)$", GUIDE, re.MULTILINE)) == len(FILES)


def test_examples_keep_the_style_of_the_house(project):
    paths = [path for path, _ in FILES if path.endswith(".py")]
    settings = ROOT / "pyproject.toml"
    for check in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *check, "--config", settings, "--no-cache", *paths]
        done = subprocess.run(
            command, cwd=project, capture_output=True, text=True, encoding="utf-8"
        )
        assert done.returncode == 0, done.stdout


def test_examples_work_and_pass_the_tests_that_they_get_for_free(project):
    paths = [f"tests/{path}" for path in TESTS]
    chosen = " or ".join(["newcomers", *NAMES])
    said = run(project, "pytest", "-v", "-p", "no:cacheprovider", *paths, "-k", chosen)
    order = "methods", "surgeries", "metrics", "figures", "problems"
    for kind, name in zip(order, NAMES, strict=True):
        assert re.search(rf"test_{kind}.py::\w+\[{name}.*PASSED", said)


def test_commands_plan_what_they_are_for(project):
    # Those of the default configuration together: planning takes seconds.
    plain = [command for command in COMMANDS if "--" not in command]
    assert {"fig_top_latent", "results/quick/paper/tables/top_k_refit.nc"} < {
        *map(str.strip, plain)
    }
    planned = [
        run(project, "snakemake", "--dry-run", *shlex.split(command))
        for command in (" ".join(plain), *(each for each in COMMANDS if "--" in each))
    ]
    assert "method=nearest_atom" in planned[0] and "surgery=top_k_refit" in planned[0]
    assert "method=nearest_atom" in planned[1] and "method=sae_relu" not in planned[1]
    assert "method=relu_x100" in planned[2] and "method=sae_relu" in planned[2]
    assert "cell=heavy_tailed_n100_k10_m47_s5000_excess0.5" in planned[3]


def run(project, module, *arguments):
    """Run a module of the environment in the copy, on the copy's package; return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project / "workflow"), "PYTEST_ADDOPTS": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout[-5000:]
    return done.stdout
