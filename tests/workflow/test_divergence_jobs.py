"""One method that diverges beside two that are sound, and a surgery, through the whole workflow."""

import json
import re

import numpy as np
import pytest
import xarray

from project import CELL, Project, new_project

EXPERIMENTS = ["latents", "frozen_decoder", "support_recovery"]
CHOSEN = {
    "methods": ["fista_oracle", "sae_relu", "sae_topk", "random_dictionary"],
    "experiments": EXPERIMENTS,
    "settings": {"sae_relu": {"learning_rate": 1.0e4}, "sae_topk": {"epochs": 20}},
}
SAID = rf"sae_relu on {CELL}: seed 0 at epoch \d+, seed 1 at epoch \d+"


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> tuple[Project, str]:
    """Return the project, and what Snakemake said."""
    project = new_project(tmp_path_factory.mktemp("diverged") / "project")
    project.configure(**CHOSEN)
    return project, project.succeed()


def test_it_ends_well_with_one_attempt_at_each_job(ran):
    project, said = ran
    assert "Trying to restart" not in said
    manifest = json.loads((project.results / "manifest.json").read_bytes())
    names = [job["name"] for job in manifest["jobs"]]
    assert len(names) == len(set(names))
    log = (project.results / f"logs/fit/{CELL}/sae_relu.log").read_text(encoding="utf-8")
    assert log.count(": begins") == 1
    assert re.search(r"sae_relu on .*: diverged: seed 0 at epoch \d+; seed 1 at epoch \d+", log)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_tables_lack_what_diverged_alone_and_say_so(ran, experiment):
    table = xarray.load_dataset(ran[0].results / f"paper/tables/{experiment}.nc")
    assert re.fullmatch(SAID, table.attrs["diverged"])
    scores = table["mcc_id"]
    assert np.isnan(scores.sel({"method": "sae_relu"})).all()
    assert np.isfinite(scores.sel({"method": ["fista_oracle", "sae_topk"]})).all()


@pytest.mark.parametrize("page", ["verdict.md", "claims.md", "comparison.md", "comparison.html"])
def test_pages_say_so(ran, page):
    text = (ran[0].results / "paper" / page).read_text(encoding="utf-8")
    assert len(re.findall(SAID, text)) == 1
    assert "means are over the other seeds" in text


def test_figures_are_drawn_and_a_second_run_does_nothing(ran):
    made = ran[0].contents()
    for experiment in EXPERIMENTS:
        assert f"paper/figures/{experiment}.png" in made
    assert "Nothing to be done" in ran[0].succeed()
