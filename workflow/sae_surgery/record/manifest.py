"""The manifest of a run: what was computed when, where and from which source, and what took long.

It is put together from the records in the steps' logs (`sae_surgery.record.jobs`), whichever of
several runs of Snakemake they are of, and is nobody's input.
"""

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sae_surgery.files.store import LIBRARIES
from sae_surgery.machine.atomic import walk
from sae_surgery.record import jobs as records

SOURCE = Path(__file__).parents[3]


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
    start_seconds: float | None = None
    """Of processor time, before the step began; None, as below, if nothing measured it."""
    processor_seconds: float | None = None
    """From then on."""
    peak_mb: float | None = None
    """Most resident memory; of a fork, what it shares with the others counts, too."""
    waited_for: str | None = None
    """Name of the job whose file was there last; None if every file was there from the start."""
    queued: float = 0.0
    """Seconds from then on until it began."""


def read_jobs(logs: Path) -> list[Job]:
    """Return all jobs that have left a record, in the order of their beginning.

    A job's record is that of its last attempt. One that lacks what a `Job` has, or has more, is of
    another version of this package; it is left out, with a line on standard error.
    """
    jobs = []
    for path in walk(logs):
        record = records.of_log(path) if path.suffix == ".log" else None
        if record is not None:
            try:
                jobs.append(_job(str(path.relative_to(logs).with_suffix("")), record))
            except (KeyError, TypeError) as error:
                print(f"{path}: left out, its record is of another form ({error})", file=sys.stderr)
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


def _job(name: str, record: Mapping[str, Any]) -> Job:
    sequences = {key: tuple(record[key]) for key in ("inputs", "outputs")}
    return Job(name, **record | sequences)


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
    """Return the commit that the package is of, and whether it was changed.

    Both are None where the project is no repository of its own, such as a release that was unpacked
    within another.
    """
    top = _git("rev-parse", "--show-toplevel")
    if not top or not os.path.samefile(top, SOURCE):
        return {"commit": None, "modified": None}
    commit, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain")
    return {"commit": commit, "modified": None if changes is None else bool(changes)}


def _git(*arguments: str) -> str | None:
    """Return what git says of the project's folder, whatever GIT_DIR names; None if it fails."""
    environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
    try:
        done = subprocess.run(["git", *arguments], cwd=SOURCE, env=environment, capture_output=True)
    except OSError:
        return None
    return os.fsdecode(done.stdout).removesuffix("\n") if done.returncode == 0 else None
