"""Surgeries in the workflow: on the models that the sweeps trained, redone only when needed."""

import shutil

import pytest

from project import CELL, Project, new_project

SURGERIES = ["frozen_decoder", "support_recovery"]
CHOSEN = {
    "methods": ["fista_oracle", "sae_relu", "random_dictionary"],
    "experiments": ["latents", *SURGERIES],
}
PAPER = {"compare", "weigh", "lead", "quote", "typeset"}
AFTER_OPERATIONS = {"assess", "tabulate frozen_decoder", "draw frozen_decoder", "judge"} | PAPER
OPERATIONS = {f"operate {method}" for method in CHOSEN["methods"]}


@pytest.fixture(scope="module")
def operated(tmp_path_factory) -> Project:
    project = new_project(tmp_path_factory.mktemp("surgeries") / "project")
    project.configure(**CHOSEN)
    project.succeed()
    return project


@pytest.fixture
def copy(operated, tmp_path) -> Project:
    shutil.copytree(operated.folder, tmp_path / "project")
    return Project(tmp_path / "project")


def test_everything_is_made(operated):
    made = operated.contents().keys()
    for surgery in SURGERIES:
        assert f"paper/tables/{surgery}.nc" in made
        assert f"paper/figures/{surgery}.pdf" in made
        for method in CHOSEN["methods"]:
            assert f"operations/{surgery}/{CELL}/{method}.nc" in made
    assert {"paper/verdict.nc", "paper/verdict.csv"} <= made
    assert "SAE (ReLU)" in (operated.results / "paper/verdict.md").read_text(encoding="utf-8")


def test_the_second_run_does_nothing(operated):
    assert "Nothing to be done" in operated.succeed()


def test_a_further_surgery_trains_nothing(copy):
    copy.configure(**CHOSEN | {"experiments": [*CHOSEN["experiments"], "lambda_sensitivity"]})
    drawn = {"draw lambda_sensitivity", "draw matched_sparsity"}
    further = {"assess", "tabulate lambda_sensitivity"} | drawn
    assert copy.planned() == OPERATIONS | further | PAPER


def test_cells_that_no_sweep_is_computed_on_get_the_models_of_their_patients(fresh):
    changes = CHOSEN | {"experiments": ["frozen_decoder"]}
    fresh.configure(**changes, surgeries={"cells_of": {"frozen_decoder": "samples"}})
    fits = {f"fit {method}" for method in CHOSEN["methods"]}
    assert fresh.planned("models") == {"simulate"} | fits
    assert fresh.planned("metrics") == set()
    tail = {"assess", "tabulate frozen_decoder", "draw frozen_decoder"} | PAPER
    assert fresh.planned() == {"simulate"} | fits | OPERATIONS | tail


def test_a_surgery_with_a_donor_has_it_fitted(fresh):
    changes = CHOSEN | {"experiments": ["learned_dictionary"]}
    fresh.configure(**changes, surgeries={"cells_of": {"learned_dictionary": "latents"}})
    operated = ["sae_relu", "dl_scaled", "fista_oracle", "random_dictionary"]
    jobs = {f"{step} {name}" for step in ("fit", "operate") for name in operated}
    assert fresh.planned("surgeries") == {"simulate"} | jobs


def test_an_edited_surgery_is_done_again_alone(copy):
    copy.append("surgeries/frozen_decoder.py", "EDITED = True")
    assert copy.planned() == OPERATIONS | AFTER_OPERATIONS


def test_a_changed_setting_of_a_surgery_redoes_it_alone(copy):
    copy.configure(**CHOSEN, settings={"frozen_decoder": {"n_iter": 50}})
    assert copy.planned() == OPERATIONS | AFTER_OPERATIONS


def test_an_edited_metric_operates_on_nothing(copy):
    copy.append("metrics/measures/mcc.py", "EDITED = True")
    assert not {"simulate", *OPERATIONS} & copy.planned()


def test_another_patient_is_one_more_operation(copy):
    copy.configure(**CHOSEN, surgeries={"patients": ["sae_relu", "sae_topk"]})
    planned = copy.planned()
    assert {"fit sae_topk", "operate sae_topk"} <= planned
    assert "operate sae_relu" not in planned
