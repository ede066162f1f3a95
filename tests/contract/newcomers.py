"""What docs/adding.md promises of its examples, each through the steps that the workflow calls.

`test_adding` runs this in a copy of the project in which they are saved; by itself it is not found.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from sae_surgery import figures, methods, metrics, problems, surgeries
from sae_surgery.files import store
from sae_surgery.files.codes import Codes
from sae_surgery.files.data import CellData
from sae_surgery.files.operations import Operation
from sae_surgery.plan import config
from sae_surgery.steps.draw import draw
from sae_surgery.steps.evaluate import evaluate
from sae_surgery.steps.fit import fit
from sae_surgery.steps.operate import operate
from sae_surgery.steps.renew import renew
from sae_surgery.steps.simulate import simulate
from sae_surgery.steps.tabulate import tabulate

SEEDS = (0, 1)
SIZES = {"n_latents": 24, "k": 3, "n_samples": 300}
REFERENCES = ("fista_oracle", "random_dictionary")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return where files of a cell of the new problem are, and models and codes by method."""
    folder = tmp_path_factory.mktemp("made")
    problem = problems.kind("heavy_tailed").at(SIZES | {"excess": 0.5})
    simulate(problem, SEEDS, folder / "data.nc")
    files = {}
    for name in ("nearest_atom", *REFERENCES):
        files[name] = folder / f"{name}_model.nc", folder / f"{name}_codes.nc"
        fit(name, folder / "data.nc", None, {}, "cpu", 1, *files[name])
    return folder, files


@pytest.fixture(scope="module")
def scored(made):
    """Return the file of metrics."""
    folder, files = made
    models, codes = zip(*files.values(), strict=True)
    evaluate(folder / "data.nc", codes, models, "paper", folder / "metrics.nc")
    return folder / "metrics.nc"


def test_all_are_found():
    assert "nearest_atom" in methods.available()
    assert "top_k_refit" in surgeries.available()
    assert {"top_latent_id", "top_latent_ood"} <= set(metrics.quantities("paper"))
    assert {"top_latent_id", "top_latent_ood"} <= set(metrics.quantities("strict"))
    assert "top_latent" in figures.available()
    assert "heavy_tailed" in problems.available()


def test_the_problem_has_a_heavy_tail_and_comes_back(made):
    folder, _ = made
    data = CellData(folder / "data.nc")
    assert data.cell.name == "heavy_tailed_n24_k3_m13_s300_excess0.5"
    _, values = data.sparse_codes("train")
    assert values.max() > 5 > 0.3 > np.median(values)
    renew(folder / "data.nc", folder / "fresh.nc")
    fresh = CellData(folder / "fresh.nc")
    assert fresh.cell == data.cell
    assert len(fresh.observations("val")[0]) > len(data.observations("val")[0])


def test_the_method_keeps_k_atoms_of_which_most_are_right(made):
    folder, files = made
    data = CellData(folder / "data.nc")
    codes, true = Codes(files["nearest_atom"][1], data).dense("val", 0), data.true_codes("val", 0)
    assert codes.shape == true.shape and (codes >= 0).all()
    assert ((codes > 0).sum(axis=1) <= 3).all()
    assert ((codes > 0) & (true > 0)).sum() / (codes > 0).sum() > 0.5


def test_the_surgery_keeps_the_support_and_mends_the_values(made):
    folder, files = made
    operate(
        "top_k_refit",
        folder / "data.nc",
        *files["nearest_atom"],
        {},
        "cpu",
        1,
        folder / "operation.nc",
    )
    data = CellData(folder / "data.nc")
    operation = Operation(folder / "operation.nc", data)
    assert [condition for condition, _ in operation.places(None)] == ["own", "top_k", "refitted"]
    errors = []
    for outcome in range(3):
        codes, atoms = operation.dense("ood", outcome, 1), operation.dictionary(outcome, 1)
        assert ((codes > 0).sum(axis=1) <= 3).all()
        errors.append(np.square(codes @ atoms.T - data.observations("ood")[1]).sum())
    assert errors[2] < 0.9 * errors[1] == pytest.approx(0.9 * errors[0])


def test_the_metric_is_in_the_file_of_scores(scored):
    file = store.read(scored, "metrics")
    found = file["top_latent_ood"].mean("seed").to_series()
    found.index = file["method"].values
    assert 1 >= found["fista_oracle"] >= found["nearest_atom"] > found["random_dictionary"] + 0.2
    assert file["top_latent_id"].attrs["long_name"].startswith("share of samples whose largest")


def test_the_figure_draws_the_table(made, scored, tmp_path):
    folder, files = made
    cell = CellData(folder / "data.nc").cell
    sweep = {
        "experiment": "latents",
        "run": "made",
        "protocol": "paper",
        "over": ["n_latents"],
        "methods": list(files),
        "seeds": list(SEEDS),
        "cells": [{"cell": cell.name, "n_latents": 24}],
        "sizes": {cell.name: {"obs_dim": cell.obs_dim, "k": cell.k}},
        "left_out": {},
    }
    tabulate(json.loads(json.dumps(sweep)), [scored], tmp_path / "latents.nc")
    draw("top_latent", [tmp_path / "latents.nc"], tmp_path)
    stems = {path.name for path in tmp_path.glob("top_latent*")}
    assert stems == {
        f"top_latent{ending}" for ending in (".pdf", ".png", ".csv", "_all.pdf", "_all.png")
    }


def test_the_configuration_chooses_the_problem_and_sweeps_its_setting():
    given = yaml.safe_load(Path("config/quick.yaml").read_text(encoding="utf-8"))
    mine = yaml.safe_load(Path("config/mine.yaml").read_text(encoding="utf-8"))
    # As Snakemake lays one over the other.
    run = config.load(given | mine | {"sweeps": given["sweeps"] | mine["sweeps"]})
    assert [cell.name for cell in run.cells.values()] == [
        "heavy_tailed_n100_k10_m47_s5000_excess0.5",
        "heavy_tailed_n100_k10_m47_s5000",
        "heavy_tailed_n100_k10_m47_s5000_excess4",
    ]
