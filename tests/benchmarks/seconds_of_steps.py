"""`python -m benchmarks.seconds_of_steps MANIFEST...`: what each kind of step takes, from runs.

The manifest of a run records when each job began and ended. For each kind of step two numbers are
fitted, a start and a rate for each 10⁹ products, such that nine jobs in ten take no longer
(regression of a quantile; errors count relative to the job). They are written into the table that
plans and time limits are made from; what is not among the jobs stays in it as it was.
"""

import argparse
import csv
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import QuantileRegressor

from sae_surgery import methods
from sae_surgery.plan import config, costs, measured
from sae_surgery.plan.summary import read_job

Kind = tuple[str, str]
"""A step, and its part."""
QUANTILE = 0.9
LEAST_SECONDS = 5
"""Errors of shorter jobs count as if they took so long."""


class Recorded(NamedTuple):
    """One job of a run."""

    repetitions: float
    gigaproducts: float
    seconds: float
    """On one thread, without the start of Python."""


def recorded(manifest: Path) -> Iterator[tuple[Kind, Recorded]]:
    """Yield each job of a run that is submitted, by step and part."""
    content = json.loads(manifest.read_bytes())
    run = config.load(content["config"])
    for entry in content["jobs"]:
        place = entry["name"].rpartition(f"{entry['step']}/")[2]
        speed = 1 + measured.GAIN_OF_THREADS * (entry["threads"] - 1)
        start = entry.get("start_seconds") or measured.START_SECONDS
        seconds = max(0.1, speed * (entry["ended"] - entry["began"] - start))
        # A configuration of today may lack a cell that an older version had.
        if entry["step"] in costs.STEPS and not run.cells.keys().isdisjoint(place.split("/")):
            job = read_job(entry["step"], entry["name"], run)
            size = costs.repetitions(job, run), costs.gigaproducts(job)
            yield costs.kind(job, run), Recorded(*size, seconds)
        elif entry["step"] in costs.EXAMINING:
            sae, _, question = place.partition("/")
            work = run.examination.gigaproducts(sae) if sae in run.examination.saes else 0.0
            kind = entry["step"], question if entry["step"] == "ask" else ""
            yield kind, Recorded(1, work, seconds)


def fitted(jobs: list[Recorded]) -> tuple[float, float]:
    """Return the start and the rate, neither negative, that nine in ten jobs stay below."""
    repetitions, gigaproducts, seconds = np.array(jobs).T
    columns = np.column_stack([repetitions, repetitions * gigaproducts])
    weights = 1 / np.maximum(seconds, LEAST_SECONDS)

    def regressed(columns: np.ndarray) -> np.ndarray:
        model = QuantileRegressor(quantile=QUANTILE, alpha=0, fit_intercept=False)
        return model.fit(columns, seconds, sample_weight=weights).coef_

    # One size alone says nothing of the start: all is taken to grow.
    start, rate = regressed(columns) if len(set(gigaproducts)) > 1 else (0.0, -1.0)
    if start < 0 or rate < 0:
        start, (rate,) = 0.0, regressed(columns[:, 1:])
    return round(float(start), 3), round(float(rate), 3)


def budget_of(method: str) -> int | str:
    """Return the number of epochs, rounds or steps that a method is given as published."""
    settings = {each.name: each.default for each in fields(methods.load(method).Settings)}
    return next((settings[name] for name in costs.BUDGETS if name in settings), "")


def renewed(jobs: Mapping[Kind, list[Recorded]]) -> dict[Kind, dict[str, object]]:
    """Return the rows of the table by step and part, those of recorded jobs fitted anew."""
    with measured.TABLE.open(encoding="utf-8", newline="") as file:
        rows = {(row["step"], row["part"]): row for row in csv.DictReader(file)}
    for kind, found in jobs.items():
        step, part = kind
        seconds, rate = fitted(found)
        rows[kind] = rows.get(kind, rows[step, ""]) | {
            "part": part, "jobs": len(found), "seconds": seconds, "rate": rate,
        }  # fmt: skip
    for (step, part), row in rows.items():
        if step == "fit" and part:
            row["budget"] = budget_of(part)
        if not int(row["jobs"]):
            row |= slowest(step, rows)
    return rows


def slowest(step: str, rows: Mapping[Kind, Mapping[str, object]]) -> dict[str, float]:
    """Return the largest start and rate of what is recorded of a step, if anything is."""
    known = [row for (of, _), row in rows.items() if of == step and int(row["jobs"])]
    columns = ("seconds", "rate") if known else ()
    return {name: max(float(row[name]) for row in known) for name in columns}


def main() -> None:
    """Fit all kinds of steps that the runs hold, and write the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.seconds_of_steps", description=__doc__)
    parser.add_argument("manifests", type=Path, nargs="+")
    jobs = defaultdict(list)
    for manifest in parser.parse_args().manifests:
        for kind, job in recorded(manifest):
            jobs[kind].append(job)
    rows = renewed(jobs)
    steps = (*costs.STEPS, *costs.EXAMINING)
    order = sorted(rows, key=lambda kind: (steps.index(kind[0]), kind[1]))
    with measured.TABLE.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ["step", "part", *measured.Measured._fields])
        table.writeheader()
        table.writerows(rows[kind] for kind in order)


if __name__ == "__main__":
    main()
