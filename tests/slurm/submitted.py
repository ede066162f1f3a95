"""A project whose Snakemake submits to the tests' Slurm."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil

from cluster import Cluster, wait_until
from project import SECONDS, Project, new_project

HURRY = (
    "--latency-wait=10",
    "--slurm-steady-init-seconds-before-status-checks=1",
    "--seconds-between-status-checks=1",
)
OBEDIENT = Path(__file__).with_name("obedient.py")


class SubmittedProject(Project):
    """A project whose commands run on a cluster, by the project's own profile."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        super().__init__(folder)
        self.cluster = cluster
        self.environment |= cluster.environment
        (folder / "orders").mkdir(exist_ok=True)

    def command(self, *arguments: str) -> list[str]:
        return super().command(*arguments, "--profile", "slurm", *HURRY)

    def order(self, cell: str, what: str) -> None:
        """Tell the method `obedient` what to do on a cell."""
        (self.folder / "orders" / cell).write_text(what, encoding="utf-8")

    def release(self, cell: str) -> None:
        """Let the method `obedient` go on."""
        (self.folder / "orders" / cell).unlink()

    def drive(self, *arguments: str) -> "Driver":
        """Start Snakemake and return while it runs."""
        return Driver(self, *arguments)

    def running(self) -> list[str]:
        """Return the Slurm jobs of this project that run."""
        jobs = self.cluster.jobs()
        running = set(self.cluster.running()) & jobs.keys()
        return [job for job in running if jobs[job]["WorkDir"] == str(self.folder)]

    def fitting(self, cell: str) -> list[psutil.Process]:
        """Return the processes that fit on a cell."""
        return [
            each
            for each in psutil.process_iter(["cmdline", "status"])
            if "fit" in (words := each.info["cmdline"] or ())
            and words[1:3] == ["-m", "sae_surgery"]
            and any(cell in word for word in words)
            and each.info["status"] != psutil.STATUS_ZOMBIE
            and str(self.folder) == each.cwd()
        ]

    def job_of(self, cell: str) -> str:
        """Return the Slurm job that fits on a cell, once it does so."""
        wait_until(lambda: self.fitting(cell), f"a job fits on {cell}")
        return self.fitting(cell)[0].environ()["SLURM_JOB_ID"]


class Driver:
    """A Snakemake that runs; what it says goes to a file."""

    def __init__(self, project: Project, *arguments: str) -> None:
        self.path = project.folder / f"driver{time.monotonic_ns()}.log"
        with self.path.open("w", encoding="utf-8") as output:
            self.process = subprocess.Popen(
                project.command(*arguments),
                cwd=project.folder,
                env=project.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_heed_interrupts,
            )

    @property
    def said(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def says(self, words: str) -> None:
        """Wait until it says some words."""
        wait_until(lambda: words in self.said, f"{words!r} is said in {self.path}")

    def signal(self, number: signal.Signals) -> int:
        """Send a signal, wait for the end, and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)

    def end(self) -> int:
        """Wait for the end and return the exit status."""
        return self.process.wait(SECONDS)


def _heed_interrupts() -> None:
    """Undo what a shell does to what it starts in the background, these tests perhaps."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def submitted_project(folder: Path, cluster: Cluster, **changes: object) -> SubmittedProject:
    """Return a fresh project with the tiny configuration, changed, and the obedient method."""
    new_project(folder)
    shutil.copy(OBEDIENT, folder / "workflow/sae_surgery/methods/obedient.py")
    project = SubmittedProject(folder, cluster)
    project.configure(**changes)
    return project


def empty_of_temporaries(folder: Path) -> bool:
    """Return whether nothing half-written lies in a folder."""
    return not [name for _, _, names in os.walk(folder) for name in names if name.startswith(".")]
