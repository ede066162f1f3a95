"""The manifest of a run: what was computed when, where and from which source, and what took long.

It is put together from the records in the logs of the steps (`sae_surgery.records`), whichever of
several runs of Snakemake they are of, and is nobody's input.
"""

import json
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sae_surgery.records import MARK
from sae_surgery.store import LIBRARIES

SOURCE = Path(__file__).parents[2]


@dataclass(frozen=True)
class Job:
    """One step that has run to its end."""

    name: str
    """Its log below the folder of logs, without suffix: step, cell and method."""
    step: str
    began: float
    """Seconds since the epoch."""
    ended: float
    host: str
    slurm_job: str | None
    threads: int
    gpu: str | None
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    waited_for: str | None = None
    """Name of the job whose file was there last; None if every file was there from the start."""
    queued: float = 0.0
    """Seconds from then on until it began."""


def read_jobs(logs: Path) -> list[Job]:
    """Return all jobs that have left a record, in the order of their beginning.

    A job's record is that of its last attempt.
    """
    jobs = []
    for path in logs.rglob("*.log"):
        lines = path.read_text(errors="replace").splitlines()
        if lines and lines[-1].startswith(MARK):
            told = json.loads(lines[-1].removeprefix(MARK))
            sequences = {key: tuple(told.pop(key)) for key in ("inputs", "outputs")}
            jobs.append(Job(str(path.relative_to(logs).with_suffix("")), **told, **sequences))
    return _with_waits(sorted(jobs, key=lambda job: job.began))


def critical_path(jobs: Iterable[Job]) -> list[Job]:
    """Return the chain of jobs, each of which waited for the one before, that ended last."""
    by_name = {job.name: job for job in jobs}
    job = max(by_name.values(), key=lambda job: job.ended, default=None)
    chain = []
    while job is not None:
        chain.append(job)
        job = by_name.get(job.waited_for)
    return chain[::-1]


def manifest(run: Path, jobs: list[Job], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest of a run as built-in types.

    Parameters
    ----------
    run
        Folder of its results.
    jobs
        Its jobs, as `read_jobs` returns them.
    config
        Its configuration.
    """
    seconds: dict[str, float] = defaultdict(float)
    for job in jobs:
        seconds[job.step] += job.ended - job.began
    return {
        "run": run.name,
        **source(),
        "config": config,
        "versions": {name: version(name) for name in ("sae-surgery", *LIBRARIES)},
        "hosts": sorted({job.host for job in jobs}),
        "gpus": sorted({job.gpu for job in jobs if job.gpu}),
        "seconds": dict(seconds),
        "critical_path": [job.name for job in critical_path(jobs)],
        "jobs": [asdict(job) for job in jobs],
    }


def _with_waits(jobs: list[Job]) -> list[Job]:
    makers = {path: job for job in jobs for path in job.outputs}
    begin = jobs[0].began if jobs else 0.0
    return [_with_wait(job, makers, begin) for job in jobs]


def _with_wait(job: Job, makers: Mapping[str, Job], begin: float) -> Job:
    before = [makers[path] for path in job.inputs if path in makers]
    # What was made again after a job began is not what it waited for.
    before = [each for each in before if each.ended <= job.began]
    last = max(before, key=lambda each: each.ended, default=None)
    ready = last.ended if last else begin
    waits = {"waited_for": last.name if last else None, "queued": job.began - ready}
    return Job(**asdict(job) | waits)


def source() -> dict[str, Any]:
    """Return the commit that the package is of, and whether it was changed; None outside git."""
    commit, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain")
    return {"commit": commit, "modified": None if changes is None else bool(changes)}


def _git(*arguments: str) -> str | None:
    try:
        shown = subprocess.run(["git", *arguments], cwd=SOURCE, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return shown.stdout.strip() if shown.returncode == 0 else None
