"""The executor for Slurm, as far as it can be tried without one."""

from types import SimpleNamespace

import snakemake_executor_plugin_slurm as plugin

from snakemake_executor_plugin_slurm_steady import Executor


def test_an_interrupt_cancels_jobs_whose_status_is_being_asked_for(monkeypatch):
    cancelled = []
    monkeypatch.setattr(plugin.Executor, "cancel_jobs", lambda _, jobs: cancelled.extend(jobs))
    executor = Executor.__new__(Executor)
    running, ended = (SimpleNamespace(external_jobid=number) for number in ("1", "2"))
    executor._submitted, executor._ended = [running, ended], {"2"}
    # While statuses are asked for, Snakemake holds no job to be active.
    executor.cancel_jobs([])
    assert cancelled == [running]
