"""Snakemake's executor for Slurm, made to stand a controller that is away for a while.

It is `snakemake-executor-plugin-slurm` (2.8.0) but for five things. A job whose status could not
be asked for stays watched; the plugin forgets it and then waits forever. Jobs are submitted when
the controller answers; the plugin counts a refused submission as a failed job. A job that Slurm
holds since its start fell into the outage is released; nobody else would. The status is asked
for every `seconds-between-status-checks`; the plugin waits 10 s longer each time that nothing has
finished, which few short jobs spend most of their time on. An interrupt cancels all jobs; the
plugin overlooks those whose status is being asked for at that moment. And sites that know GPUs by
--gres only are told so in one place.
"""

import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import snakemake_executor_plugin_slurm as plugin
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

common_settings = plugin.common_settings

SECONDS_BETWEEN_PINGS = 5
UNANSWERED = "Unable to contact slurm controller"


@dataclass
class ExecutorSettings(plugin.ExecutorSettings):
    """The plugin's settings, which a profile spells `slurm-steady-…`, and one more."""

    gpu_gres: str = field(
        default="",
        metadata={
            "help": "Ask for GPUs by --gres=<this>:<number>, not by --gpus: gpu, or gpu:a100.",
            "env_var": False,
            "required": False,
        },
    )


class Executor(plugin.Executor):
    """The plugin's executor with patience."""

    def __post_init__(self) -> None:
        """Watch no job yet."""
        super().__post_init__()
        self._submitted: list[SubmittedJobInfo] = []
        self._ended: set[str | None] = set()

    def run_jobs(self, jobs: list[JobExecutorInterface]) -> None:
        """Submit jobs as soon as the controller answers."""
        kind = self.workflow.executor_settings.gpu_gres
        for job in jobs:
            count = job.resources.get("gpu")
            if kind and count:
                job.resources.gres, job.resources.gpu = f"{kind}:{count}", 0
        self._wait_for_controller()
        super().run_jobs(jobs)

    async def check_active_jobs(
        self, active_jobs: list[SubmittedJobInfo]
    ) -> AsyncIterator[SubmittedJobInfo]:
        """Yield the jobs that are not known to have ended."""
        if active_jobs:
            self._release_held_jobs()
        async for _ in super().check_active_jobs(active_jobs):
            pass
        for job in active_jobs:
            if job.external_jobid not in self._ended:
                yield job
        settings = self.workflow.remote_execution_settings
        self.next_seconds_between_status_checks = settings.seconds_between_status_checks

    def report_job_submission(self, job_info: SubmittedJobInfo, register_job: bool = True) -> None:
        """Note that a job has been submitted."""
        self._submitted.append(job_info)
        super().report_job_submission(job_info, register_job=register_job)

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
        """Cancel all jobs that are not known to have ended, not only those given."""
        running = [job for job in self._submitted if job.external_jobid not in self._ended]
        super().cancel_jobs(running)

    def report_job_success(self, job_info: SubmittedJobInfo) -> None:
        """Note that a job has ended well."""
        self._ended.add(job_info.external_jobid)
        super().report_job_success(job_info)

    def report_job_error(
        self, job_info: SubmittedJobInfo, msg: str | None = None, **kwargs: Any
    ) -> None:
        """Note that a job has failed; submit it again if the controller only did not answer."""
        if job_info.external_jobid is None and UNANSWERED in (msg or ""):
            self.run_jobs([job_info.job])
            return
        self._ended.add(job_info.external_jobid)
        super().report_job_error(job_info, msg=msg, **kwargs)

    def _release_held_jobs(self) -> None:
        query = ["squeue", "--noheader", "--states=PENDING", "--format=%i|%r", "--name"]
        asked = [*query, self.run_uuid]
        shown = subprocess.run(asked, capture_output=True, text=True, errors="replace").stdout
        for job, reason in (line.split("|", 1) for line in shown.splitlines()):
            # Newer versions of Slurm write underscores.
            if reason.replace("_", " ") == "launch failed requeued held":
                self.logger.warning(f"Slurm held job {job}, whose start failed; it is released.")
                subprocess.run(["scontrol", "release", job], capture_output=True)

    def _wait_for_controller(self) -> None:
        told = False
        while subprocess.run(["scontrol", "ping"], capture_output=True).returncode != 0:
            if not told:
                self.logger.warning("Slurm's controller does not answer; waiting for it.")
                told = True
            time.sleep(SECONDS_BETWEEN_PINGS)
