"""One Slurm for all tests of this folder."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import debian

sys.path.append(str(Path(__file__).parents[1] / "workflow"))

from cluster import Cluster, running_cluster, why_not


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Give a cluster; where none can be had, tests are left out, but never in CI."""
    if reason := why_not():
        debian.leave_out("on Slurm", reason)
    with running_cluster() as cluster:
        yield cluster
