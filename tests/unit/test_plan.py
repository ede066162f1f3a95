"""The plan of a run: which jobs, what they take, and how much of it is done."""

from pathlib import Path

import pytest
import yaml

from benchmarks.seconds_of_steps import recorded
from sae_surgery import methods, surgeries
from sae_surgery.plan import config, costs, measured
from sae_surgery.plan.costs import Job, cost, is_short
from sae_surgery.plan.summary import as_text, read_summary, summarise
from sae_surgery.problems.paper import Cell

ROOT = Path(__file__).parents[2]
QUICK = yaml.safe_load((ROOT / "config/quick.yaml").read_bytes())
RUN = config.load(QUICK)
SMALL, LARGE = Cell.parse("n100_k10_m47_s5000"), Cell.parse("n10000_k10_m139_s5000")
HEADER = "output_file\tdate\trule\tlog-file(s)\tstatus\tplan\n"


def summary(*rows):
    lines = ["\t".join((path, "-", rule, "-", *state)) for path, rule, state in rows]
    return HEADER + "\n".join(lines)


MISSING, DONE = ("missing", "update pending"), ("ok", "no update")
TEXT = summary(
    (f"results/q/data/{SMALL.name}.nc", "simulate", DONE),
    (f"results/q/models/{SMALL.name}/pca.nc", "fit", DONE),
    (f"results/q/codes/{SMALL.name}/pca.nc", "fit", MISSING),
    (f"results/q/operations/frozen_decoder/{SMALL.name}/pca.nc", "operate", MISSING),
    (f"results/q/paper/metrics/{SMALL.name}.nc", "evaluate", MISSING),
    (f"results/q/paper/metrics/frozen_decoder/{SMALL.name}.nc", "assess", MISSING),
    ("results/q/paper/tables/latents.nc", "tabulate", MISSING),
)


def test_jobs_are_read_once_whatever_their_files():
    assert read_summary(TEXT, RUN) == [
        Job("simulate", SMALL, pending=False),
        Job("fit", SMALL, "pca", "pca"),
        Job("operate", SMALL, "frozen_decoder", "pca"),
        Job("evaluate", SMALL),
        Job("assess", SMALL, "frozen_decoder"),
    ]


def test_jobs_of_the_strict_protocol_are_counted_each_by_itself():
    cell, scored = SMALL.name, "results/q/strict"
    text = summary(
        (f"{scored}/data/{cell}.nc", "renew", DONE),
        (f"results/q/models/{cell}/lista_oracle.nc", "fit", DONE),
        (f"{scored}/models/{cell}/lista_oracle.nc", "fit", MISSING),
        (f"{scored}/codes/{cell}/lista_oracle.nc", "fit", MISSING),
        (f"{scored}/codes/{cell}/sae_relu.nc", "encode", MISSING),
        (f"{scored}/crossed/by_paper_models/{cell}/pca.nc", "encode", MISSING),
        (f"{scored}/crossed/paper_samples/{cell}/pca.nc", "encode", MISSING),
        (f"{scored}/metrics/audit/{cell}.nc", "audit", MISSING),
    )
    assert read_summary(text, RUN) == [
        Job("renew", SMALL, pending=False),
        Job("fit", SMALL, "lista_oracle", "lista_oracle", pending=False),
        Job("fit", SMALL, "lista_oracle", "lista_oracle", fresh=True),
        Job("encode", SMALL, "sae_relu", "sae_relu", fresh=True),
        Job("encode", SMALL, "pca", "pca", fresh=True),
        Job("encode", SMALL, "pca", "pca"),
        Job("audit", SMALL),
    ]


def test_codes_cost_less_than_a_training():
    encoding, fitting = (Job(step, SMALL, "sae_mp", "sae_mp") for step in ("encode", "fit"))
    assert cost(encoding, RUN).seconds < cost(fitting, RUN).seconds


def test_what_is_done_costs_nothing_more():
    table = summarise(read_summary(TEXT, RUN), RUN)
    assert table.loc["simulate", "cached"] == 1
    assert table.loc["simulate", "CPU hours"] == 0
    assert table.loc["fit", "cached"] == 0
    assert 0 < table.loc["all", "cached"] < 1
    assert table.loc["all", "jobs"] == 5
    assert table.loc["all", "CPU hours"] == pytest.approx(table["CPU hours"][:-1].sum())
    assert "CPU hours" in as_text(table)


@pytest.mark.parametrize("part", ["simulate", "fit fista_oracle", "fit sae_relu"])
def test_larger_cells_cost_more_disk(part):
    step, _, method = part.partition(" ")
    small, large = (Job(step, cell, method or None, method or None) for cell in (SMALL, LARGE))
    assert cost(small, RUN).megabytes < cost(large, RUN).megabytes


def test_what_is_measured_is_there():
    known = {"fit": methods.available(), "operate": surgeries.available()}
    known["assess"] = known["operate"]
    for step, part in measured.table():
        assert part in ("", *known.get(step, ()))


@pytest.mark.parametrize("run", ["reference", "scaling", "targets"])
def test_recorded_jobs_end_within_their_limit(run):
    for kind, job in recorded(ROOT / "results" / run / "manifest.json"):
        one = measured.of(*kind)
        expected = job.repetitions * (one.seconds + one.rate * job.gigaproducts)
        assert job.seconds <= 60 * costs.BASE_MINUTES + costs.LIMIT * expected


def test_a_long_training_takes_longer():
    models = {"long": {"method": "sae_topk", "epochs": 5000}}
    run = config.load(QUICK | {"models": models})
    usual, long = (Job("fit", LARGE, name, name) for name in ("sae_topk", "long"))
    assert cost(long, run).seconds > 9 * cost(usual, run).seconds
    assert cost(long, run).runtime > cost(usual, run).runtime


def test_a_part_that_is_not_measured_counts_as_the_slowest():
    table = measured.table()
    for step in ("fit", "operate", "assess"):
        others = [one for (of, part), one in table.items() if of == step and part]
        assert measured.of(step, "mine").rate >= max(one.rate for one in others)


def test_jobs_with_a_gpu_and_unknown_ones_are_never_bundled():
    assert is_short(Job("fit", SMALL, "pca", "pca"), RUN)
    assert not is_short(Job("fit", LARGE, "fista_oracle", "fista_oracle"), RUN)
    assert not is_short(Job("fit", SMALL, "mine", "mine"), RUN)
