"""Snakemake's executor for Slurm, made to stand a controller that is away for a while.

It is `snakemake-executor-plugin-slurm` (2.8.0) but for what follows. A job whose status could not
be asked for stays watched; the plugin forgets it and then waits forever. Jobs are submitted when
the controller answers; the plugin counts a refused submission as a failed job. A job that Slurm
holds since its start fell into the outage is released; nobody else would; one that waits for what
does not come is named. The status is asked for every `seconds-between-status-checks`; the plugin
waits 10 s longer each time that nothing has finished, which few short jobs spend most of their
time on. An interrupt cancels all jobs; the plugin overlooks those whose status is being asked for
at that moment. Sites that know GPUs by --gres only are told so in one place. No job asks for more
memory than a node has. Of a group that failed, only what is missing is tried again
(`groups`). And a failure is reported in Slurm's own words (`reasons`).
"""

import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import snakemake_executor_plugin_slurm as plugin
from snakemake.jobs import GroupJob
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

from snakemake_executor_plugin_slurm_steady import nodes, reasons
from snakemake_executor_plugin_slurm_steady.groups import Groups

common_settings = plugin.common_settings

SECONDS_BETWEEN_PINGS = 5
UNANSWERED = "Unable to contact slurm controller"


@dataclass
class ExecutorSettings(plugin.ExecutorSettings):
    """The plugin's settings, which a profile spells `slurm-steady-…`, and two more."""

    gpu_gres: str = field(
        default="",
        metadata={
            "help": "Ask for GPUs by --gres=<this>:<number>, not by --gpus: gpu, or gpu:a100.",
            "env_var": False,
            "required": False,
        },
    )
    max_mem_mb: int = field(
        default=0,
        metadata={
            "help": "Ask for no more memory than this; without it, than the largest node has.",
            "env_var": False,
            "required": False,
        },
    )


class Executor(plugin.Executor):
    """The plugin's executor with patience."""

    def __post_init__(self) -> None:
        """Watch no job yet, and find out how much memory one may ask for."""
        super().__post_init__()
        self._submitted: list[SubmittedJobInfo] = []
        self._ended: set[str | None] = set()
        self._stuck: set[tuple[str, str]] = set()
        self._interrupted = False
        self._groups = Groups()
        self._limit_memory()

    def run_jobs(self, jobs: list[JobExecutorInterface]) -> None:
        """Submit jobs as soon as the controller answers."""
        kind = self.workflow.executor_settings.gpu_gres
        for job in jobs:
            count = job.resources.get("gpu")
            if kind and count:
                job.resources.gres, job.resources.gpu = f"{kind}:{count}", 0
            # What a log says is then of this attempt.
            for log in job.log:
                Path(log).unlink(missing_ok=True)
        self._wait_for_controller()
        super().run_jobs(jobs)

    def get_job_args(self, job: JobExecutorInterface) -> str:
        """Return arguments of the Snakemake inside a job; a group's keeps to what was asked for."""
        arguments = super().get_job_args(job)
        if not job.is_group():
            return f"{arguments} {super().additional_general_args()}"
        return f"{arguments} --cores {job.threads} --resources mem_mb={job.resources.mem_mb}"

    def additional_general_args(self) -> str:
        """Return nothing, for a group has no jobstep.

        Its Snakemake runs the members itself, and takes back what a failed one has left; a jobstep
        takes back what all have made.
        """
        return ""

    async def check_active_jobs(
        self, active_jobs: list[SubmittedJobInfo]
    ) -> AsyncIterator[SubmittedJobInfo]:
        """Yield the jobs that are not known to have ended."""
        if active_jobs:
            self._look_at_pending_jobs()
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
        self._interrupted = True
        running = [job for job in self._submitted if job.external_jobid not in self._ended]
        super().cancel_jobs(running)

    def report_job_success(self, job_info: SubmittedJobInfo) -> None:
        """Note that a job has ended well."""
        self._ended.add(job_info.external_jobid)
        super().report_job_success(replace(job_info, job=self._groups.whole(job_info.job)))

    def report_job_error(
        self, job_info: SubmittedJobInfo, msg: str | None = None, **kwargs: Any
    ) -> None:
        """Note that a job has failed, and submit it again if that is not Snakemake's to do.

        So it is if the controller only did not answer, and with what is missing of a group.
        """
        if job_info.external_jobid is None and UNANSWERED in (msg or ""):
            self.run_jobs([job_info.job])
            return
        self._ended.add(job_info.external_jobid)
        reason = reasons.in_words_of_slurm(msg or "", job_info.external_jobid, job_info.aux)
        if job_info.job.is_group():
            self._report_group_error(job_info, reason, **kwargs)
        else:
            super().report_job_error(job_info, msg=f"{reason}. ", **kwargs)

    def _report_group_error(self, job_info: SubmittedJobInfo, reason: str, **kwargs: Any) -> None:
        group = job_info.job
        if not self._groups.missing(group):
            super().report_job_success(replace(job_info, job=self._groups.whole(group)))
            return
        failed = self._groups.failed(group)
        for member in failed:
            member.log_error(msg=reason, **kwargs)
        if not failed:
            self.logger.error(reason, extra={"failed_group": group.groupid})
        rest = self._groups.rest(group, with_more="CANCELLED" not in reason)
        if self._interrupted or self._groups.is_given_up(rest):
            self._give_up(rest)
        else:
            self.run_jobs([rest])

    def _give_up(self, rest: GroupJob) -> None:
        """Let Snakemake take for failed what is missing of a group; it deletes what that has made.

        It would delete what the whole group has made.
        """
        rest.attempt = rest.restart_times + 1
        scheduler = self.workflow.scheduler
        with scheduler._lock:
            scheduler.running.remove(self._groups.whole(rest))
            scheduler.running.add(rest)
        scheduler.error_callback(rest)

    def _limit_memory(self) -> None:
        """Let no job ask for more memory than there is, nor the members of a group at a time."""
        if "mem_mb" in self.workflow.global_resources:
            return
        settings = self.workflow.executor_settings
        limit = settings.max_mem_mb or nodes.largest_memory(self._partition_names())
        if limit:
            self.workflow.register_resource("mem_mb", limit)

    def _partition_names(self) -> list[str]:
        """Return the partitions that jobs go to, none for the default one."""
        if self._partitions:
            return [partition.name for partition in self._partitions]
        default = (self.workflow.resource_settings.default_resources or {}).get("slurm_partition")
        return str(default.raw).split(",") if default and default.raw else []

    def _look_at_pending_jobs(self) -> None:
        query = ["squeue", "--noheader", "--states=PENDING", "--format=%i|%r", "--name"]
        asked = [*query, self.run_uuid]
        shown = subprocess.run(asked, capture_output=True, text=True, errors="replace").stdout
        for job, reason in (line.split("|", 1) for line in shown.splitlines()):
            # Newer versions of Slurm write underscores.
            if reason.replace("_", " ") == "launch failed requeued held":
                self.logger.warning(f"Slurm held job {job}, whose start failed; it is released.")
                subprocess.run(["scontrol", "release", job], capture_output=True)
            elif reasons.is_lasting(reason) and (job, reason) not in self._stuck:
                self._stuck.add((job, reason))
                names = [each.job.name for each in self._submitted if each.external_jobid == job]
                self.logger.warning(
                    f"Slurm does not start job {job} ({' '.join(names)}): {reason}. It may wait"
                    " forever: change what it asks for (scontrol update), or cancel it (scancel)."
                )

    def _wait_for_controller(self) -> None:
        told = False
        while subprocess.run(["scontrol", "ping"], capture_output=True).returncode != 0:
            if not told:
                self.logger.warning("Slurm's controller does not answer; waiting for it.")
                told = True
            time.sleep(SECONDS_BETWEEN_PINGS)
