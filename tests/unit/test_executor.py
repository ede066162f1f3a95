"""The executor for Slurm, as far as it can be tried without one."""

from types import SimpleNamespace

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


def ended_badly(monkeypatch, *, interrupted: bool) -> tuple[list, list]:
    """Return what is submitted, and what Snakemake hears of, when a group has failed."""
    submitted, heard = [], []
    monkeypatch.setattr(reasons, "in_words_of_slurm", lambda *_: "CANCELLED")
    monkeypatch.setattr(Executor, "run_jobs", lambda _, jobs: submitted.extend(jobs))
    executor = Executor.__new__(Executor)
    executor._ended, executor._interrupted = set(), interrupted
    executor._groups = SimpleNamespace(
        missing=lambda _: ["member"], failed=lambda _: [], again=lambda *_, **__: "rest", whole=str
    )
    executor.logger = SimpleNamespace(error=lambda *_, **__: None)
    executor.workflow = SimpleNamespace(scheduler=SimpleNamespace(error_callback=heard.append))
    group = SimpleNamespace(is_group=lambda: True, groupid="small")
    executor.report_job_error(SubmittedJobInfo(group, "7"), "CANCELLED")
    return submitted, heard


def test_what_is_missing_of_a_group_is_submitted_again_without_a_word_to_snakemake(monkeypatch):
    assert ended_badly(monkeypatch, interrupted=False) == (["rest"], [])


def test_after_an_interrupt_nothing_is_submitted(monkeypatch):
    submitted, heard = ended_badly(monkeypatch, interrupted=True)
    assert submitted == []
    assert len(heard) == 1
