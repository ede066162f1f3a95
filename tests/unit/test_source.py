"""The commit that a manifest names is the project's own, or none."""

import os
import subprocess
from pathlib import Path

import pytest

from sae_surgery.record import manifest

NONE = {"commit": None, "modified": None}


def git(folder: Path, *arguments: str) -> str:
    """Run git as if nobody had configured it."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        **{f"GIT_{who}_NAME": "A" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "a@b" for who in ("AUTHOR", "COMMITTER")},
    }
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=environment, stdout=subprocess.PIPE, check=True
    )
    return done.stdout.decode().strip()


def repository(folder: Path) -> str:
    """Make a repository of a folder with one file, and return its commit."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "file").touch()
    git(folder, "init", "--quiet")
    git(folder, "add", "file")
    git(folder, "commit", "--quiet", "--message", "first")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture(params=["project", "ein Projekt, größer"])
def project(request, tmp_path, monkeypatch):
    folder = tmp_path / "outer" / request.param
    folder.mkdir(parents=True)
    monkeypatch.setattr(manifest, "SOURCE", folder)
    return folder


def test_a_clone_is_of_its_commit(project):
    commit = repository(project)
    assert manifest.source() == {"commit": commit, "modified": False}
    (project / "another").touch()
    assert manifest.source() == {"commit": commit, "modified": True}


def test_a_clone_within_another_repository_is_of_its_own_commit(project):
    repository(project.parent)
    commit = repository(project)
    assert manifest.source()["commit"] == commit


def test_a_release_within_another_repository_is_of_no_commit(project):
    repository(project.parent)
    assert manifest.source() == NONE


def test_a_release_is_of_no_commit(project):
    assert manifest.source() == NONE


def test_a_clone_reached_by_a_link_and_a_worktree_are_of_their_commit(project, monkeypatch):
    commit = repository(project)
    link = project.parent / "link"
    link.symlink_to(project)
    monkeypatch.setattr(manifest, "SOURCE", link)
    assert manifest.source() == {"commit": commit, "modified": False}
    git(project, "worktree", "add", "--quiet", "../tree")
    monkeypatch.setattr(manifest, "SOURCE", project.parent / "tree")
    assert manifest.source() == {"commit": commit, "modified": False}


def test_variables_that_lead_git_elsewhere_do_not_count(project, tmp_path, monkeypatch):
    repository(tmp_path / "other")
    elsewhere = {
        "GIT_DIR": tmp_path / "other/.git",
        "GIT_WORK_TREE": tmp_path / "other",
        "GIT_INDEX_FILE": tmp_path / "nowhere",
        "GIT_COMMON_DIR": tmp_path / "other/.git",
        "GIT_OBJECT_DIRECTORY": tmp_path / "nowhere",
        "GIT_CEILING_DIRECTORIES": project.parent,
    }
    for name, path in elsewhere.items():
        monkeypatch.setenv(name, str(path))
    assert manifest.source() == NONE
    monkeypatch.setenv("GIT_DIR", "nowhere")
    commit = repository(project)
    assert manifest.source() == {"commit": commit, "modified": False}


def test_without_git_there_is_no_commit(project, monkeypatch):
    repository(project)
    monkeypatch.setenv("PATH", str(project))
    assert manifest.source() == NONE
    # A command that the system refuses to run.
    (project / "git").write_text("", encoding="utf-8")
    (project / "git").chmod(0o755)
    assert manifest.source() == NONE
