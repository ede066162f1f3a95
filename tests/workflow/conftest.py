"""Projects to run Snakemake in: fresh, finished, and the reference that no test changes."""

import shutil

import pytest

from project import Project, new_project


@pytest.fixture
def fresh(tmp_path) -> Project:
    """Return a project in which nothing has run."""
    return new_project(tmp_path / "project")


@pytest.fixture(scope="session")
def reference(tmp_path_factory) -> Project:
    """Return a project that has run to its end, and that no test changes."""
    project = new_project(tmp_path_factory.mktemp("reference") / "project")
    project.succeed()
    return project


@pytest.fixture
def finished(reference, tmp_path) -> Project:
    """Return a copy of a finished project, to change."""
    shutil.copytree(reference.folder, tmp_path / "project")
    return Project(tmp_path / "project")
