"""The promised command on a cluster: the GPU for those that profit, the same bytes as locally."""

import pytest

from project import Project, new_project
from submitted import SubmittedProject, submitted_project

CONFIG = {
    "methods": ["fista_oracle", "sae_relu", "raw", "random_dictionary"],
    "experiments": ["latents"],
    "sweeps": {
        "latents": {
            "n_latents": [20, 1000],
            "k": [3],
            "n_samples": [20],
            "obs_dim_factor": [0.5],
        }
    },
    "settings": {"sae_relu": {"epochs": 2}},
}


@pytest.fixture(scope="module")
def submitted(cluster, tmp_path_factory) -> SubmittedProject:
    project = submitted_project(tmp_path_factory.mktemp("gpus") / "p", cluster, **CONFIG)
    project.said = project.succeed("all")
    return project


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> Project:
    project = new_project(tmp_path_factory.mktemp("local") / "project")
    project.configure(**CONFIG)
    project.succeed("all")
    return project


def test_only_jobs_that_profit_hold_a_gpu(submitted, cluster):
    of_project = [job for job in cluster.jobs().values() if job["WorkDir"] == str(submitted.folder)]
    assert {job["JobState"] for job in of_project} == {"COMPLETED"}
    with_gpu = [job for job in of_project if job["JOB_GRES"] == "gpu:1"]
    assert len(with_gpu) == 3
    assert {job["NodeList"] for job in with_gpu} <= {"g1", "g2"}
    assert all(job["JOB_GRES"] == "(null)" for job in of_project if job not in with_gpu)


def test_short_jobs_of_a_cell_are_one_and_none_of_them_holds_a_gpu(submitted, cluster):
    of_project = [job for job in cluster.jobs().values() if job["WorkDir"] == str(submitted.folder)]
    # Of each cell one bundle and its scores; on the large one, three methods have a GPU each.
    assert len(of_project) == 2 + 2 + 3
    assert "small_n20_k3_m4_s20" in submitted.said


def test_all_results_are_those_of_a_local_run(submitted, local):
    assert submitted.differences(local) == set()


def test_the_second_run_submits_nothing(submitted):
    assert "Nothing to be done" in submitted.succeed("all")
