"""Named models through the workflow: beside their method in one table and one figure."""

import csv

import netCDF4
import pytest

from project import CELL

PART = '''
"""A method that reads a file of the user: a factor."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from sae_surgery.methods.base import Fitted, Lesson, Method, Model, Parameter
from sae_surgery.problems.base import Problem


@dataclass(frozen=True)
class ScaledSettings:
    """Settings of the method."""

    path: str = ""


class Scaled(Method):
    """Observations, times the number in a file."""

    title = "Scaled"
    family = "linear"
    signed = True
    reads = ("path",)
    Settings: ClassVar[type] = ScaledSettings

    def fit(self, lesson: Lesson) -> Fitted:
        factor = float(Path(self.settings.path).read_text(encoding="utf-8"))
        values = torch.full((len(lesson.seeds),), factor)
        return Fitted(Model(factor=Parameter(values, (), "factor")))

    def encode(self, model: Model, observations: Tensor, cell: Problem) -> Tensor:
        return observations * model.tensor("factor")[:, None, None]
'''
CONFIGURATION = {
    "methods": ["sae_relu", "relu_brief", "relu_x300", "halved"],
    "experiments": ["latents"],
    "settings": {"sae_relu": {"epochs": 4}},
    "models": {
        "relu_brief": {"method": "sae_relu", "epochs": 2},
        "relu_x300": {"method": "sae_relu", "penalty": 0.03, "title": "ReLU, γ × 300"},
        "halved": {"method": "scaled", "path": "factor.txt"},
    },
}


@pytest.fixture
def project(fresh):
    """Return a project with a method that reads a file, and models of it and of another."""
    part = fresh.folder / "workflow/sae_surgery/methods/scaled.py"
    part.write_text(PART.lstrip(), encoding="utf-8")
    (fresh.folder / "factor.txt").write_text("0.5", encoding="utf-8")
    fresh.configure(**CONFIGURATION)
    return fresh


def test_models_stand_beside_their_method_in_a_table_and_a_figure(project):
    project.succeed("tables", "fig_latents")
    for name in CONFIGURATION["methods"]:
        assert (project.results / f"models/{CELL}/{name}.nc").exists()
    with netCDF4.Dataset(project.results / "paper/tables/latents.nc") as table:
        scores = table["mcc_id"][:].reshape(len(table["method"]), -1).mean(axis=1)
        titles = table["title"][:].tolist()
    assert titles == [
        "SAE (ReLU)",
        "SAE (ReLU), epochs 2",
        "ReLU, γ × 300",
        "Scaled, path factor.txt",
    ]
    assert len(set(scores[:3])) == 3
    text = (project.results / "paper/figures/latents.csv").read_text(encoding="utf-8")
    assert {row["title"] for row in csv.DictReader(text.splitlines())} == set(titles)
    assert "Nothing to be done" in project.succeed("--dry-run", "tables", "fig_latents")
    # A file that a setting names is an input.
    (project.folder / "factor.txt").write_text("0.25", encoding="utf-8")
    after = {"evaluate", "tabulate latents", "draw latents", "fig_latents"}
    assert project.planned("fig_latents") == {"fit halved"} | after


def test_a_file_that_is_not_there_is_named_before_anything_runs(project):
    (project.folder / "factor.txt").unlink()
    failed = project.run("--dry-run")
    assert failed.returncode != 0
    assert "tiny.yaml" in failed.stdout
    assert "models.halved.path: factor.txt: there is no such file" in failed.stdout


def test_models_of_both_protocols_are_planned(fresh):
    models = {
        "scaled_lam": {"method": "dl_fista", "lam": 0.2},
        "network": {"method": "dl_lista", "parent": "scaled_lam"},
    }
    fresh.configure(
        methods=["relu_x300", "network"],
        models=models | {"relu_x300": CONFIGURATION["models"]["relu_x300"]},
        protocol="strict",
        experiments=["latents", "audit"],
        surgeries={"cells_of": "latents"},
    )
    planned = fresh.planned()
    assert {
        "fit network",
        "fit strict/network",
        "fit scaled_lam",
        "fit strict/scaled_lam",
    } <= planned
    assert {"fit relu_x300", "encode codes/relu_x300"} <= planned
    assert not {"fit strict/relu_x300", "fit dl_fista", "fit dl_lista"} & planned
