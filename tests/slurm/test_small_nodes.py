"""On nodes of 16 GB a run ends well although a group is cancelled and a job killed for memory."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from cluster import Cluster, running_cluster, wait_until
from submitted import Driver, SubmittedProject, submitted_project

NODE_MB = 16_000
SECONDS = 900
"""A busy machine may take so long over the whole run."""
CELL = "n20_k3_m12_s40"
GROUPED = ["fista_oracle", "random_dictionary", "sae_relu", "pca", "raw", "linear_probe"]
CONFIG = {
    "methods": [*GROUPED, "obedient"],
    "experiments": ["samples", "frozen_decoder"],
    "surgeries": {"cells_of": "samples", "patients": ["sae_relu"]},
    "sweeps": {"samples": {"over": ["n_samples"], "n_latents": [20], "k": [3], "n_samples": [40]}},
    "settings": {"sae_relu": {"epochs": 2}},
}


@pytest.fixture(scope="module")
def small(cluster) -> Iterator[Cluster]:
    """Give a cluster of small nodes; the one of all tests says whether there can be any."""
    with running_cluster(NODE_MB) as small:
        yield small


class Survivor(NamedTuple):
    """A run that went through to its end."""

    project: SubmittedProject
    driver: Driver
    jobs: dict[str, dict[str, str]]
    """What Slurm knows of its jobs."""
    group: str
    """Slurm's number of the group that was cancelled."""
    kept: dict[Path, int]
    """Results that were there then, with their inodes."""


@pytest.fixture(scope="module")
def survivor(small, tmp_path_factory) -> Survivor:
    project = submitted_project(tmp_path_factory.mktemp("small") / "p", small, **CONFIG)
    project.order(CELL, "memory")
    driver = project.drive("tables")
    wait_until(lambda: any(project.results.glob("logs/fit/*/*.log")), "a fit of the group begins")
    (group,) = project.running()
    kept = {path: path.stat().st_ino for path in project.results.glob("data/*.nc")}
    small.ask("scancel", group)
    wait_until(lambda: "exceeded memory limit" in driver.said, "memory is watched", SECONDS)
    project.release(CELL)
    assert driver.process.wait(SECONDS) == 0, driver.said
    jobs = {
        job: facts for job, facts in small.jobs().items() if facts["WorkDir"] == str(project.folder)
    }
    return Survivor(project, driver, jobs, group, kept)


def failures(survivor: Survivor, words: str) -> list[str]:
    lines = [line for line in survivor.driver.said.splitlines() if line.startswith("failed: ")]
    return [line for line in lines if words in line]


def test_the_run_ends_well_and_leaves_nothing_to_do(survivor):
    tables = {path.stem for path in survivor.project.results.glob("paper/tables/*.nc")}
    assert tables == set(CONFIG["experiments"])
    assert "Nothing to be done" in survivor.project.succeed("tables")


def test_no_job_asks_for_more_than_a_node_has(survivor):
    asked = {int(job["MinMemoryNode"].removesuffix("M")) for job in survivor.jobs.values()}
    assert max(asked) <= NODE_MB


def test_a_cancelled_group_asks_for_no_more_than_before(survivor):
    first, second = (job for job in survivor.jobs.values() if "_small_" in job["Comment"])
    assert (first["JobState"], second["JobState"]) == ("CANCELLED", "COMPLETED")
    asked, again = (int(job["MinMemoryNode"].removesuffix("M")) for job in (first, second))
    assert again <= asked


def test_a_job_killed_for_memory_asks_for_more(survivor):
    first, second = (
        job for job in survivor.jobs.values() if job["Comment"].endswith(f"{CELL}_obedient")
    )
    assert (first["JobState"], second["JobState"]) == ("FAILED", "COMPLETED")
    asked, again = (int(job["MinMemoryNode"].removesuffix("M")) for job in (first, second))
    assert again == 2 * asked


def test_of_the_group_only_what_was_missing_was_done_again(survivor):
    assert survivor.kept
    assert {path: path.stat().st_ino for path in survivor.kept} == survivor.kept


def test_only_members_that_had_begun_are_told_as_failed(survivor):
    (said,) = survivor.project.folder.glob(f".snakemake/slurm_logs/*/{survivor.group}.log")
    begun = set(re.findall(r"^    log: (\S+)$", said.read_text(encoding="utf-8"), re.MULTILINE))
    failed = {re.search(r"log: (\S+) ", line)[1] for line in failures(survivor, "CANCELLED")}
    assert failed
    assert failed <= {log for log in begun if "simulate" not in log}


def test_the_job_killed_for_memory_is_told_in_slurm_s_words(survivor):
    (line,) = failures(survivor, "obedient")
    assert re.search(r"'FAILED': .* exceeded memory limit \(.*\), being killed", line)


def test_there_is_a_line_for_each_job_with_the_time_left(survivor):
    lines = survivor.driver.said.splitlines()
    done = [line for line in lines if re.match(r"\[\d\d:\d\d:\d\d\] \d+ of \d+ done", line)]
    assert any(", about " in line for line in done)
    assert f"small_{CELL} (" in "\n".join(done)
    # Of a job that failed the end of its log is shown, indented.
    assert not any(line.startswith(("rule fit:", "localrule fit:")) for line in lines)
