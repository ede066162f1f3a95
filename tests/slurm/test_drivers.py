"""What befalls the driver: Snakemake interrupted, killed and started again while its job runs on.

One job waits throughout; drivers come and go around it.
"""

import signal
from typing import NamedTuple

import pytest

from cluster import wait_until
from submitted import Driver, SubmittedProject, empty_of_temporaries, submitted_project

CELL = "n20_k3_m12_s40"
CONFIG = {
    "methods": ["obedient"],
    "experiments": ["samples"],
    "sweeps": {"samples": {"n_latents": [20], "k": [3], "n_samples": [40]}},
}


class History(NamedTuple):
    """The drivers in the order of their lives, and what was seen on the way."""

    project: SubmittedProject
    interrupted: Driver
    locked_out: str
    jobs_after_interrupt: list[str]
    killed: Driver
    jobs_after_kill: list[str]
    terminated: Driver
    writers: int
    last: Driver


@pytest.fixture(scope="module")
def history(cluster, tmp_path_factory) -> History:
    project = submitted_project(tmp_path_factory.mktemp("drivers") / "p", cluster, **CONFIG)
    project.order(CELL, "wait")

    interrupted = project.drive("tables")
    project.job_of(CELL)
    locked_out = project.run("tables").stdout
    interrupted.signal(signal.SIGINT)
    wait_until(lambda: not project.fitting(CELL), "the job is cancelled")
    after_interrupt = project.running()

    killed = project.drive("tables")
    first = project.job_of(CELL)
    killed.signal(signal.SIGKILL)
    after_kill = project.running()
    project.succeed("--unlock")

    terminated = project.drive("tables")
    wait_until(lambda: len(project.fitting(CELL)) == 2, "the job runs twice")
    writers = len(project.fitting(CELL))
    terminated.process.send_signal(signal.SIGTERM)
    project.release(CELL)
    terminated.end()
    wait_until(lambda: not project.running(), f"{first} and its double end")

    last = project.drive("tables")
    last.end()
    return History(
        project,
        interrupted,
        locked_out,
        after_interrupt,
        killed,
        after_kill,
        terminated,
        writers,
        last,
    )


def test_a_second_driver_is_told_that_the_folder_is_taken(history):
    assert "Directory cannot be locked" in history.locked_out


def test_an_interrupted_driver_takes_its_jobs_along(history):
    assert history.interrupted.end() != 0
    assert history.jobs_after_interrupt == []


def test_a_killed_driver_leaves_its_job_running(history):
    assert history.killed.end() == -signal.SIGKILL
    assert len(history.jobs_after_kill) == 1


def test_a_job_that_ran_twice_left_one_whole_file(history):
    assert history.writers == 2
    assert history.last.end() == 0, history.last.said
    assert empty_of_temporaries(history.project.results)


def test_a_terminated_driver_loses_nothing_that_its_job_finished(history):
    assert "rule fit:" not in history.last.said


def test_nothing_is_left_to_do(history):
    assert "Nothing to be done" in history.project.succeed("tables")
