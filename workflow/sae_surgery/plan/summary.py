"""What a run will cost, step by step, before anything is submitted."""

import csv
import io
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from sae_surgery.plan.config import Run
from sae_surgery.plan.costs import STEPS, Cost, Job, cost


class Output(NamedTuple):
    """A file of a run."""

    rule: str
    path: str
    pending: bool
    """Whether it is missing, or its rule has to make it again."""


def read_outputs(text: str) -> list[Output]:
    """Return each file in what `snakemake --summary` prints."""
    rows = csv.DictReader(io.StringIO(text), delimiter="\t")
    return [
        Output(
            row["rule"],
            row["output_file"],
            row["plan"] != "no update" or row["status"] == "missing",
        )
        for row in rows
    ]


def read_summary(text: str, run: Run) -> list[Job]:
    """Return the jobs of a run that `snakemake --summary` prints, but those of seconds."""
    jobs: dict[str, Job] = {}
    for output in read_outputs(text):
        if output.rule in STEPS:
            # A fit has two files, each with a row; nothing else has codes and a model side by side.
            first = output.path.replace("/codes/", "/models/")
            pending = output.pending or (first in jobs and jobs[first].pending)
            jobs[first] = replace(read_job(output.rule, output.path, run), pending=pending)
    return [*jobs.values()]


def summarise(jobs: Iterable[Job], run: Run) -> pd.DataFrame:
    """Return a table: for each step and in all, jobs, hours, the largest request, and disk.

    Hours, memory and disk are those of jobs still to be done; `cached` is the share of the hours of
    all jobs that is done already.
    """
    rows = [_row(job, cost(job, run)) for job in jobs]
    each = pd.DataFrame(rows)
    groups = dict(list(each.groupby("step")))
    steps = {step: _totals(groups[step]) for step in STEPS if step in groups}
    return pd.DataFrame(steps | {"all": _totals(each)}).T


def as_text(table: pd.DataFrame) -> str:
    """Return the table for people."""
    return table.to_string(
        formatters={
            "jobs": "{:.0f}".format,
            "to do": "{:.0f}".format,
            "cached": "{:.0%}".format,
            "GPU hours": "{:.2f}".format,
            "CPU hours": "{:.2f}".format,
            "longest job": "{:.2f} h".format,
            "peak memory": "{:.1f} GB".format,
            "disk": "{:.2f} GB".format,
        }
    )


def read_job(step: str, path: str, run: Run) -> Job:
    """Read a job from the path of a file that it makes; the Snakefile has their grammar."""
    parts = path.removesuffix(".nc").split("/")
    place = next(i for i, part in enumerate(parts) if part in run.cells)
    method = parts[place + 1] if place + 1 < len(parts) else None
    surgery = parts[place - 1] if step in {"operate", "assess"} else None
    fresh = step in {"fit", "encode"} and "strict" in parts and "paper_samples" not in parts
    return Job(step, run.cells[parts[place]], surgery or method, method, fresh)


def _row(job: Job, expected: Cost) -> dict[str, object]:
    return {
        "step": job.step,
        "pending": job.pending,
        "GPU hours": expected.seconds / 3600 * expected.gpu,
        "CPU hours": expected.seconds / 3600 * expected.threads,
        "longest job": expected.seconds / 3600,
        "peak memory": expected.mem_mb / 1000,
        "disk": expected.megabytes / 1000,
    }


def _totals(jobs: pd.DataFrame) -> dict[str, float]:
    pending = jobs[jobs["pending"]]
    hours = jobs["GPU hours"].sum() + jobs["CPU hours"].sum()
    left = pending["GPU hours"].sum() + pending["CPU hours"].sum()
    return {
        "jobs": len(jobs),
        "to do": len(pending),
        "cached": 1 - left / hours,
        "GPU hours": pending["GPU hours"].sum(),
        "CPU hours": pending["CPU hours"].sum(),
        "longest job": pending["longest job"].max() if len(pending) else 0.0,
        "peak memory": pending["peak memory"].max() if len(pending) else 0.0,
        "disk": pending["disk"].sum(),
    }
