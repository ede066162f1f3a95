"""The executor for Slurm, as far as it can be tried without one."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import snakemake_executor_plugin_slurm as plugin
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

from snakemake_executor_plugin_slurm_steady import Executor, reasons


def test_an_interrupt_cancels_jobs_whose_status_is_being_asked_for(monkeypatch):
    cancelled = []
    monkeypatch.setattr(plugin.Executor, "cancel_jobs", lambda _, jobs: cancelled.extend(jobs))
    executor = Executor.__new__(Executor)
    running, ended = (SimpleNamespace(external_jobid=number) for number in ("1", "2"))
    executor._submitted, executor._ended = [running, ended], {"2"}
    # While statuses are asked for, Snakemake holds no job to be active.
    executor.cancel_jobs([])
    assert cancelled == [running]


class Group(SimpleNamespace):
    """A group job, as far as it matters here."""

    restart_times = 2

    def is_group(self):
        return True

    def __hash__(self):
        return id(self)


WHOLE, REST = Group(groupid="whole"), Group(groupid="rest")


def ended_badly(monkeypatch, *, interrupted: bool, given_up: bool) -> tuple[list, list, set]:
    """Return what is submitted, what Snakemake hears of, and what it takes to run."""
    submitted, heard, running = [], [], {WHOLE}
    monkeypatch.setattr(reasons, "in_words_of_slurm", lambda *_: "CANCELLED")
    monkeypatch.setattr(Executor, "run_jobs", lambda _, jobs: submitted.extend(jobs))
    executor = Executor.__new__(Executor)
    executor._ended, executor._interrupted = set(), interrupted
    executor._groups = SimpleNamespace(
        missing=lambda _: ["member"],
        failed=lambda _: [],
        rest=lambda *_, **__: REST,
        is_given_up=lambda _: given_up,
        whole=lambda _: WHOLE,
    )
    executor.logger = SimpleNamespace(error=lambda *_, **__: None)
    scheduler = SimpleNamespace(error_callback=heard.append, running=running, _lock=nullcontext())
    executor.workflow = SimpleNamespace(scheduler=scheduler)
    executor.report_job_error(SubmittedJobInfo(WHOLE, "7"), "CANCELLED")
    return submitted, heard, running


def test_what_is_missing_of_a_group_is_submitted_again_without_a_word_to_snakemake(monkeypatch):
    ended = ended_badly(monkeypatch, interrupted=False, given_up=False)
    assert ended == ([REST], [], {WHOLE})


@pytest.mark.parametrize(("interrupted", "given_up"), [(True, False), (False, True)])
def test_of_a_group_that_is_given_up_only_what_is_missing_has_failed(
    monkeypatch, interrupted, given_up
):
    ended = ended_badly(monkeypatch, interrupted=interrupted, given_up=given_up)
    assert ended == ([], [REST], {REST})
    # Snakemake would try it again otherwise.
    assert REST.restart_times <= REST.attempt - 1


def test_a_job_that_waits_for_what_may_never_come_is_named_once(monkeypatch, tmp_path):
    (tmp_path / "squeue").write_text(
        "#!/bin/sh\necho '7|BadConstraints'\necho '8|Resources'\n", encoding="utf-8"
    )
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    said = []
    executor = Executor.__new__(Executor)
    executor.run_uuid, executor._stuck = "run", set()
    executor.logger = SimpleNamespace(warning=said.append)
    executor._submitted = [SubmittedJobInfo(SimpleNamespace(name="fit"), "7")]
    executor._look_at_pending_jobs()
    executor._look_at_pending_jobs()
    (line,) = said
    assert line.startswith("Slurm does not start job 7 (fit): BadConstraints. It may wait forever")
