"""Archives: unpacked in a fresh clone they leave nothing to do, and so does a careful copy."""

import shutil
import subprocess
import sys
import tarfile

import pytest

from project import SECONDS, Project, new_project

RECORDS = ".snakemake/metadata"
ARCHIVE = "tiny.tar.gz"


def pack(project: Project, output: str = ARCHIVE) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "sae_surgery", "archive", "tiny.yaml", "--output", output]
    streams = {"capture_output": True, "text": True, "timeout": SECONDS}
    return subprocess.run(command, cwd=project.folder, env=project.environment, **streams)


@pytest.fixture(scope="module")
def packed(reference, tmp_path_factory) -> Project:
    project = Project(tmp_path_factory.mktemp("packed") / "project")
    shutil.copytree(reference.folder, project.folder)
    done = pack(project)
    assert done.returncode == 0, done.stderr
    return project


@pytest.fixture
def clone(tmp_path) -> Project:
    return new_project(tmp_path / "clone")


def test_an_unpacked_archive_leaves_nothing_to_do(packed, clone):
    subprocess.run(["tar", "-xzf", packed.folder / ARCHIVE], cwd=clone.folder, check=True)
    assert clone.differences(packed) == set()
    assert "Nothing to be done" in clone.succeed()
    (clone.folder / "results/tiny/config.yaml").rename(clone.folder / "tiny.yaml")
    assert "Nothing to be done" in clone.succeed()
    clone.append("methods/pca.py", "EDITED = True")
    assert "fit pca" in clone.planned()


def test_an_archive_tells_nothing_but_the_results(packed):
    assert pack(packed, "again.tar.gz").returncode == 0
    assert (packed.folder / "again.tar.gz").read_bytes() == (packed.folder / ARCHIVE).read_bytes()
    with tarfile.open(packed.folder / ARCHIVE) as archive:
        members = archive.getmembers()
    assert {(member.uid, member.gid, member.uname) for member in members} == {(0, 0, "")}
    results = (f"{RECORDS}/", "results/tiny/", "paper/main.pdf")
    assert all(member.name.startswith(results) for member in members)


def test_what_is_not_finished_is_not_packed(finished):
    next(finished.results.glob("paper/tables/*.nc")).unlink()
    refused = pack(finished)
    assert refused.returncode == 2
    assert refused.stderr.startswith("sae-surgery: results/tiny: ")
    assert "paper/tables/" in refused.stderr
    assert not (finished.folder / ARCHIVE).exists()


def copy_results(source: Project, target: Project, with_times: bool) -> None:
    copy = shutil.copy2 if with_times else shutil.copyfile
    shutil.copytree(source.results, target.results, copy_function=copy)
    if with_times:
        shutil.copytree(source.folder / RECORDS, target.folder / RECORDS)


def test_a_copy_with_times_and_records_leaves_nothing_to_do(packed, clone):
    copy_results(packed, clone, with_times=True)
    assert "Nothing to be done" in clone.succeed()


def test_a_copy_without_them_is_adopted_by_touching(packed, clone):
    copy_results(packed, clone, with_times=False)
    for path in (clone.results / "data").iterdir():
        path.touch()
    assert clone.planned() != set()
    clone.succeed("--touch")
    assert clone.differences(packed) == set()
    assert "Nothing to be done" in clone.succeed()
