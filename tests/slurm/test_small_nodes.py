"""On nodes of 16 GB a run ends well although a group is cancelled and a job killed for memory."""

from collections.abc import Iterator

import pytest

from cluster import Cluster, running_cluster, wait_until
from submitted import Driver, SubmittedProject, submitted_project

NODE_MB = 16_000
CELL = "n20_k3_m12_s40"
GROUPED = ["fista_oracle", "sae_relu", "sae_topk", "pca", "raw", "linear_probe"]
CONFIG = {
    "methods": [*GROUPED, "random_dictionary", "obedient"],
    "experiments": ["samples", "frozen_decoder"],
    "surgeries": {"cells_of": "samples", "patients": ["sae_relu", "sae_topk"]},
    "sweeps": {"samples": {"over": ["n_samples"], "n_latents": [20], "k": [3], "n_samples": [40]}},
    "settings": {"sae_relu": {"epochs": 2}, "sae_topk": {"epochs": 2}},
}


@pytest.fixture(scope="module")
def small(cluster) -> Iterator[Cluster]:
    """Give a cluster of small nodes; the one of all tests says whether there can be any."""
    with running_cluster(NODE_MB) as small:
        yield small


@pytest.fixture(scope="module")
def survived(small, tmp_path_factory) -> tuple[SubmittedProject, Driver, int]:
    """Return a project, its driver, and the file of data that was there before the group died."""
    project = submitted_project(tmp_path_factory.mktemp("small") / "p", small, **CONFIG)
    project.order(CELL, "memory")
    driver = project.drive("tables")
    data = project.results / f"data/{CELL}.nc"
    wait_until(lambda: any(project.results.glob("models/*/*.nc")), "a member of the group ends")
    (group,) = (job for job in project.running() if f"small_{CELL}" in small.jobs()[job]["Comment"])
    first = data.stat().st_ino
    small.ask("scancel", group)
    driver.says("exceeded memory limit")
    project.release(CELL)
    assert driver.end() == 0, driver.said
    return project, driver, first
