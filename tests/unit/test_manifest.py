"""The manifest: every job that ended, what it waited for, and the chain that decided the end."""

import itertools
import json
import os
import re
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from sae_surgery.record.jobs import MARK, date_back
from sae_surgery.record.manifest import critical_path, read_jobs
from sae_surgery.record.timeline import lanes, step_colours
from sae_surgery.steps.report import report

FUTURE = time.time() + 86400
SAME = {"host": "h", "slurm_job": None, "threads": 1, "gpu": None}
JOBS = {
    "simulate/a": {"began": 0, "ended": 10, "inputs": [], "outputs": ["data"]},
    "fit/a/fast": {"began": 12, "ended": 20, "inputs": ["data"], "outputs": ["fast"]},
    "fit/a/slow": {"began": 15, "ended": 90, "inputs": ["data"], "outputs": ["slow"]},
    "evaluate/a": {"began": 94, "ended": 99, "inputs": ["data", "fast", "slow"], "outputs": ["m"]},
}


@pytest.fixture
def run(tmp_path):
    for name, times in JOBS.items():
        path = tmp_path / "logs" / f"{name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        job = {"step": name.partition("/")[0], **SAME, **times}
        path.write_text(f"something was done\n{MARK}{json.dumps(job)}\n", encoding="utf-8")
    (tmp_path / "logs/fit/a/killed.log").write_text("something was being d", encoding="utf-8")
    (tmp_path / "logs/fit/a/silent.log").write_text("", encoding="utf-8")
    return tmp_path


def test_jobs_are_those_that_ended_in_the_order_of_their_beginning(run):
    assert [job.name for job in read_jobs(run / "logs")] == list(JOBS)


def test_a_job_waits_for_the_file_that_is_there_last(run):
    waits = {job.name: (job.waited_for, job.queued) for job in read_jobs(run / "logs")}
    assert waits["simulate/a"] == (None, 0)
    assert waits["fit/a/slow"] == ("simulate/a", 5)
    assert waits["evaluate/a"] == ("fit/a/slow", 4)


def test_the_critical_path_ends_with_the_run(run):
    path = critical_path(read_jobs(run / "logs"))
    assert [job.name for job in path] == ["simulate/a", "fit/a/slow", "evaluate/a"]


def test_bars_of_one_lane_never_overlap(run):
    jobs = read_jobs(run / "logs")
    placed = zip(jobs, lanes(jobs), strict=True)
    for (first, one), (second, other) in itertools.combinations(placed, 2):
        assert one != other or first.ended <= second.began


def test_the_report_is_complete(run):
    report(run, {"seeds": [0]})
    told = json.loads((run / "manifest.json").read_bytes())
    assert told["config"] == {"seeds": [0]}
    assert told["seconds"] == {"simulate": 10, "fit": 83, "evaluate": 5}
    assert {"commit", "modified", "versions", "hosts", "gpus", "jobs"} <= told.keys()
    assert (run / "timeline.pdf").stat().st_size > 0


def test_a_run_in_which_nothing_ended_has_nothing_to_report(tmp_path):
    report(tmp_path, {})
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_the_future_is_dated_now_and_no_other_is(tmp_path):
    past, future = tmp_path / "past", tmp_path / "future"
    for path, date in ((past, 1000), (future, FUTURE)):
        path.touch()
        os.utime(path, (date, date))
    date_back([past, future])
    assert past.stat().st_mtime == 1000
    assert future.stat().st_mtime < FUTURE


def test_every_step_has_a_colour_of_its_own():
    rules = (Path(__file__).parents[2] / "workflow/rules").glob("*.smk")
    called = {
        step
        for rule in rules
        for step in re.findall(r"python -m sae_surgery (\w+)", rule.read_text(encoding="utf-8"))
    }
    colours = step_colours([SimpleNamespace(step=step) for step in sorted(called)] * 2)
    assert colours.keys() == called and len(set(colours.values())) == len(called) > 10
