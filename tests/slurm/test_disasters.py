"""What befalls jobs on a cluster, all at once: each job of one run meets another fate.

The jobs fit the method `obedient`, which waits until it is told to go on.
"""

import re
import shutil
import time
from collections.abc import Iterator

import pytest

from cluster import GPU_NODES, wait_until
from project import Project, new_project
from submitted import OBEDIENT, Driver, SubmittedProject, empty_of_temporaries, submitted_project

CANCELLED, KILLED, GREEDY, LATE, LUCKY = (f"n20_k3_m12_s{40 + 4 * index}" for index in range(5))
LOST = "n40_k3_m16_s40"
"""Large enough to get a GPU, so that its node is another's than the others'."""
FATES = (CANCELLED, KILLED, GREEDY, LATE, LUCKY, LOST)
CONFIG = {
    "methods": ["obedient"],
    "experiments": ["samples", "latents"],
    "sweeps": {
        "samples": {
            "over": ["n_samples"],
            "n_latents": [20],
            "k": [3],
            "n_samples": [40 + 4 * index for index in range(5)],
        },
        "latents": {"n_latents": [40], "k": [3], "n_samples": [40]},
    },
}
SECONDS_AWAY = 60
PARTITIONS = """\
partitions:
  cpu: {max_threads: 16}
  gpu: {max_threads: 16, max_gpu: 1}
"""
SITE = ("--slurm-steady-partition-config=slurm/partitions.yaml", "--slurm-steady-gpu-gres=gpu")
"""What a site may choose in the profile: partitions by name, GPUs asked for by --gres."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Iterator[tuple[Project, Driver]]:
    """Return a project that runs locally, and its driver: it runs while the other is harmed."""
    folder = tmp_path_factory.mktemp("undisturbed") / "project"
    project = new_project(folder)
    shutil.copy(OBEDIENT, folder / "workflow/sae_surgery/methods/obedient.py")
    project.configure(**CONFIG)
    driver = Driver(project, "tables", "--cores=1")
    yield project, driver
    driver.end()


@pytest.fixture(scope="module")
def survived(cluster, undisturbed, tmp_path_factory) -> tuple[SubmittedProject, Driver]:
    """Return a project whose jobs were harmed in every way, and its driver, which has ended."""
    project = submitted_project(tmp_path_factory.mktemp("disasters") / "p", cluster, **CONFIG)
    for cell in FATES:
        project.order(cell, "wait")
    project.order(GREEDY, "memory")
    (project.folder / "slurm/partitions.yaml").write_text(PARTITIONS, encoding="utf-8")
    driver = project.drive("tables", *SITE)
    jobs = {cell: project.job_of(cell) for cell in FATES}

    cluster.ask("scontrol", "update", f"jobid={jobs[LATE]}", "timelimit=00:01:00")
    wait_until(lambda: cluster.jobs()[jobs[GREEDY]]["JobState"] == "FAILED", "memory is watched")
    project.release(GREEDY)
    cluster.ask("scancel", jobs[CANCELLED])
    project.release(CANCELLED)
    for process in project.fitting(KILLED):
        process.kill()
    project.release(KILLED)

    lost = cluster.jobs()[jobs[LOST]]
    assert (lost["Partition"], lost["TresPerNode"]) == ("gpu", "gres:gpu:1")
    assert cluster.jobs()[jobs[LUCKY]]["Partition"] == "cpu"
    node = lost["NodeList"]
    cluster.lose_node(node)
    wait_until(lambda: cluster.jobs()[jobs[LOST]]["JobState"] == "PENDING", "the node is missed")
    cluster.ask("scontrol", "update", f"jobid={jobs[LOST]}", "starttime=now")
    wait_until(lambda: cluster.jobs()[jobs[LOST]]["JobState"] == "RUNNING", "the job is requeued")
    assert {node, cluster.jobs()[jobs[LOST]]["NodeList"]} == set(GPU_NODES)
    cluster.start_node(node)

    wait_until(
        lambda: cluster.jobs()[jobs[LATE]]["JobState"] == "TIMEOUT", "the limit is kept", 120
    )
    driver.says("TIMEOUT")
    wait_until(lambda: project.job_of(LATE) != jobs[LATE], "it is tried again")

    cluster.kill_controller()
    for cell in (LATE, LUCKY, LOST):
        project.release(cell)
    wait_until(lambda: not project.fitting(LOST), "jobs end without the controller")
    time.sleep(SECONDS_AWAY)
    cluster.start_controller()
    assert driver.end() == 0, driver.said
    return project, driver


@pytest.mark.parametrize(
    ("cell", "state"),
    [(CANCELLED, "CANCELLED"), (KILLED, "FAILED"), (GREEDY, "FAILED"), (LATE, "TIMEOUT")],
)
def test_a_job_that_died_is_named_with_its_log_and_done_again(survived, cell, state):
    project, driver = survived
    # What comes after a fit may fail, too: while the controller is away, nothing can be submitted.
    lines = [line for line in driver.said.splitlines() if line.startswith("failed: fit")]
    (line,) = (line for line in lines if cell in line)
    assert "obedient" in line
    assert state in line
    assert f"results/tiny/logs/fit/{cell}/obedient.log" in line
    assert (project.results / f"models/{cell}/obedient.nc").exists()


def test_no_other_fit_failed(survived):
    _, driver = survived
    assert len(re.findall("^failed: fit", driver.said, re.MULTILINE)) == 4


def test_the_job_that_met_its_time_limit_went_on_where_it_was_cut_off(survived):
    project, _ = survived
    log = project.results / f"logs/fit/{LATE}/obedient.log"
    assert "training goes on after step" in log.read_text(encoding="utf-8")


def test_the_results_are_those_of_an_undisturbed_run(survived, undisturbed):
    project, _ = survived
    reference, local = undisturbed
    assert local.end() == 0, local.said
    assert project.differences(reference) == set()
    assert empty_of_temporaries(project.results)


def test_nothing_is_left_to_do_and_nothing_runs(survived):
    project, _ = survived
    # A controller that died may have forgotten that a job had ended, and run it once more.
    wait_until(lambda: not project.running(), "Slurm is idle", 120)
    assert "Nothing to be done" in project.succeed("tables")
    assert not [each for cell in FATES for each in project.fitting(cell)]
