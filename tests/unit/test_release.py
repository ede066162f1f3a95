"""A release: one version everywhere, and archives from which the package can be used."""

import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from sae_surgery import __version__, methods

PROJECT = Path(__file__).parents[2]
PACKAGE = PROJECT / "workflow/sae_surgery"
BACKEND = """\
import sys
from setuptools import build_meta
build_meta.build_{kind}(sys.argv[1])
"""
LIST_METHODS = """\
import sae_surgery
from sae_surgery.cli import main
print(sae_surgery.__file__)
main(["methods"])
"""


def test_the_version_is_the_same_everywhere():
    citation = yaml.safe_load((PROJECT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    version, date = re.search(r"^## (\S+) – (\S+)$", changes, re.MULTILINE).groups()
    assert citation["version"] == version == __version__
    assert str(citation["date-released"]) == date


def build(kind, folder):
    """Build an archive of a copy of the project's sources, and return its path."""
    source = folder / "source"
    built = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(PROJECT / "workflow", source / "workflow", ignore=built)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, source)
    command = [sys.executable, "-c", BACKEND.format(kind=kind), str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (archive,) = (path for path in folder.iterdir() if path.suffix in {".whl", ".gz"})
    return archive


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Return a folder that the wheel is installed in."""
    folder = tmp_path_factory.mktemp("installed")
    wheel = build("wheel", tmp_path_factory.mktemp("wheel"))
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", folder]
    subprocess.run([*pip, wheel], check=True, capture_output=True)
    return folder


def test_the_wheel_has_the_whole_package(installed):
    tracked = {
        path.relative_to(PACKAGE)
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {path for path in tracked if not (installed / "sae_surgery" / path).exists()} == set()


def test_the_wheel_can_be_used_elsewhere(installed, tmp_path):
    said = subprocess.run(
        [sys.executable, "-c", LIST_METHODS],
        cwd=tmp_path,
        env={"PYTHONPATH": str(installed), "PATH": ""},
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout
    used, *listed = said.splitlines()
    assert Path(used).parent == installed / "sae_surgery"
    assert [line.split()[0] for line in listed] == [*methods.available()]


def test_the_source_archive_has_what_a_build_needs(tmp_path):
    with tarfile.open(build("sdist", tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "workflow/sae_surgery/cli.py"} <= names
