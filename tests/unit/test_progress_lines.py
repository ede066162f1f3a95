"""Lines of progress: how much is done, and how long the rest takes at the pace so far."""

from types import SimpleNamespace

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_failures import progress
from snakemake_logger_plugin_failures.progress import Progress, in_words


@pytest.fixture
def clock(monkeypatch):
    """Return the seconds of a clock that a test sets."""
    seconds = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: seconds[0])
    return seconds


def begin(expected: dict[int, float], cores: int | None = None) -> Progress:
    run = Progress()
    stats = {"fit": len(expected), "total": len(expected)}
    run.note(LogEvent.RUN_INFO, SimpleNamespace(stats=stats))
    run.note(None, SimpleNamespace(expected=expected, cores=cores))
    for job in expected:
        wildcards = {"of": "", "cell": "n20", "method": f"m{job}"}
        known = SimpleNamespace(jobid=job, rule_name="fit", wildcards=wildcards)
        run.note(LogEvent.JOB_INFO, known)
    return run


def finish(run: Progress, *jobs: int, done: int, total: int) -> str:
    for job in jobs:
        run.note(LogEvent.JOB_FINISHED, SimpleNamespace(job_id=job))
    return run.note(LogEvent.PROGRESS, SimpleNamespace(done=done, total=total))


def test_a_run_begins_with_what_is_to_do():
    run = Progress()
    run.note(LogEvent.WORKFLOW_STARTED, SimpleNamespace(configfiles=["my.yaml", "quick.yaml"]))
    stats = {"simulate": 1, "fit": 5, "total": 6}
    line = run.note(LogEvent.RUN_INFO, SimpleNamespace(stats=stats))
    assert line == "my.yaml over quick.yaml: 6 steps to do (1 simulate, 5 fit)"


@pytest.mark.parametrize(
    ("cores", "line"),
    [
        (2, "expected: 2 h 0 min of processor time, 1 h 0 min on 2 cores"),
        (None, "expected: 2 h 0 min of processor time"),
    ],
)
def test_and_with_what_that_is_expected_to_take(cores, line):
    assert Progress().note(None, SimpleNamespace(expected={1: 7200.0}, cores=cores)) == line


def test_the_time_left_follows_the_work_and_not_the_number_of_steps(clock):
    run = begin({1: 100.0, 2: 300.0})
    clock[0] = 600.0
    line = finish(run, 1, done=1, total=2)
    assert line.endswith("] 1 of 2 done, about 30 min left: fit n20 m1")


def test_before_there_is_a_pace_the_estimate_counts(clock):
    run = begin({1: 1.0, 2: 7200.0}, cores=2)
    clock[0] = 60.0
    assert "about 1 h 0 min left" in finish(run, 1, done=1, total=2)


def test_on_a_cluster_nothing_is_said_before_there_is_a_pace(clock):
    run = begin({1: 1.0, 2: 7200.0})
    clock[0] = 60.0
    assert finish(run, 1, done=1, total=2).endswith("] 1 of 2 done: fit n20 m1")


def test_a_group_is_one_line(clock):
    run = begin({1: 1.0, 2: 1.0, 3: 1.0})
    members = [SimpleNamespace(jobid=1), SimpleNamespace(jobid=2)]
    run.note(LogEvent.GROUP_INFO, SimpleNamespace(group_id="small_n20", jobs=members))
    assert finish(run, 1, 2, done=2, total=3).endswith("left: small_n20 (2 fit)")


def test_the_last_line_names_no_time(clock):
    run = begin({1: 1.0})
    clock[0] = 9.0
    assert finish(run, 1, done=1, total=1).endswith("] 1 of 1 done: fit n20 m1")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3, "1 min"), (89, "1 min"), (3600, "1 h 0 min"), (40_000, "11 h"), (200_000, "2 days")],
)
def test_durations_are_as_precise_as_they_are_of_use(seconds, words):
    assert in_words(seconds) == words
