"""One Slurm for all tests of this folder."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "workflow"))

from cluster import Cluster, running_cluster, why_not


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Give a cluster; where none can be had, tests are left out, but never in CI."""
    reason = why_not()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(f"the tests on Slurm must run here, but {reason}")
    if reason:
        pytest.skip(f"the tests on Slurm are left out: {reason}")
    with running_cluster() as cluster:
        yield cluster
