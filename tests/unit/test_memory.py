"""Requests of memory: never below what was measured, and never more than three times as much."""

import csv
from pathlib import Path

import pytest

from benchmarks.memory_of_steps import run_of
from sae_surgery import methods, surgeries
from sae_surgery.files import encoding
from sae_surgery.plan import memory
from sae_surgery.plan.costs import STEPS, Job, cost
from sae_surgery.problems.paper import Cell

TABLE = Path(__file__).parents[2] / "docs" / "memory.csv"
MOST = 3
"""Times what is used that may be asked for."""

with TABLE.open(encoding="utf-8") as file:
    ROWS = list(csv.DictReader(file))


def name_of(row):
    return "-".join(row[key] for key in ("step", "part", "protocol", "cell") if row[key])


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_requests_fit_what_was_measured(row):
    cell = Cell.parse(row["cell"])
    run = run_of(cell, row["protocol"], range(int(row["seeds"])))
    fresh = row["protocol"] == "strict"
    job = Job(row["step"], cell, row["part"] or None, row["method"] or None, fresh)
    asked, used = cost(job, run).mem_mb, int(row["used_mb"])
    assert used <= asked <= MOST * used
    assert asked == int(row["asked_mb"])


@pytest.mark.parametrize(
    ("step", "parts"),
    [
        ("fit", methods.usual()),
        ("operate", surgeries.available()),
    ],
)
def test_what_is_measured_is_there(step, parts):
    measured = {row["part"] for row in ROWS if row["step"] == step}
    assert measured and measured <= set(parts)


def test_no_kind_of_step_is_left_out():
    assert {row["step"] for row in ROWS} == {*STEPS, "tabulate"}


def test_scoring_asks_for_one_seed_whatever_their_number():
    cell = Cell.parse("n10000_k10_m139_s5000")
    one, five = (run_of(cell, "strict", range(count)) for count in (1, 5))
    assert memory.score(cell, one) == memory.score(cell, five)
    # True codes, inferred ones and their directions, in double precision.
    n_id, n_ood = cell.fresh_samples()
    n_codes = 2 * (n_id + n_ood) + n_id
    assert memory.score(cell, one) > 8 * n_codes * cell.n_latents / 1e6


def test_codes_inferred_at_once_are_counted_as_they_are():
    assert memory.DENSE_CODES == encoding.DENSE_CODES
