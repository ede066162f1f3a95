"""A model under a name of its own: files and tables have it by that, all else is its method's."""

import json

import numpy as np
import pytest
from bench import CELL, SEEDS, brief_settings

from sae_surgery import methods
from sae_surgery.files import store
from sae_surgery.files.codes import Codes
from sae_surgery.files.data import CellData
from sae_surgery.files.operations import Operation
from sae_surgery.machine.provenance import source_digest
from sae_surgery.pages.claims.judging import without_models
from sae_surgery.steps.assess import assess
from sae_surgery.steps.encode import encode
from sae_surgery.steps.evaluate import evaluate
from sae_surgery.steps.fit import fit
from sae_surgery.steps.operate import operate
from sae_surgery.steps.tabulate import tabulate

NAMED = {"relu_x1": {}, "relu_x30": {"penalty": 30 * 1e-4}}
"""Settings of two models of sae_relu, the first of which are those of the method."""
SWEEP = {
    "experiment": "latents",
    "run": "made",
    "protocol": "paper",
    "over": ["n_latents"],
    "methods": ["sae_relu", *NAMED],
    "seeds": list(SEEDS),
    "cells": [{"cell": CELL.name, "n_latents": CELL.n_latents}],
    "left_out": {},
    "models": {
        name: {"method": "sae_relu", "title": name.upper(), "family": "sae"} for name in NAMED
    },
}


@pytest.fixture(scope="module")
def made(bench, tmp_path_factory):
    """Return model and codes files of the method and its models."""
    folder = tmp_path_factory.mktemp("named")
    files = {"sae_relu": bench.fit("sae_relu")}
    for name, settings in NAMED.items():
        files[name] = folder / f"{name}_model.nc", folder / f"{name}_codes.nc"
        settings = brief_settings("sae_relu") | settings
        fit("sae_relu", bench.data(), None, settings, "cpu", 1, *files[name], name)
    return files


@pytest.fixture(scope="module")
def table(bench, made, tmp_path_factory):
    """Return the table of all three."""
    folder = tmp_path_factory.mktemp("table")
    models, codes = zip(*made.values(), strict=True)
    evaluate(bench.data(), codes, models, "paper", folder / "metrics.nc")
    tabulate(json.loads(json.dumps(SWEEP)), [folder / "metrics.nc"], folder / "latents.nc")
    return store.read(folder / "latents.nc", "table")


def test_files_have_the_name_and_say_whose_model_it_is(made):
    for name, (model, codes) in made.items():
        files = store.read(model, "model"), store.read(codes, "codes")
        assert [file.attrs["method"] for file in files] == [name, name]
        assert files[0].attrs.get("model_of") == (None if name == "sae_relu" else "sae_relu")
        assert files[0].attrs["code"] == source_digest(
            "sae_surgery.steps.fit", "sae_surgery.methods.sae_relu"
        )


def test_a_model_at_its_method_s_settings_is_the_method_s_and_no_other_is(made):
    plain, same, other = (store.read(model, "model") for model, _ in made.values())
    np.testing.assert_array_equal(plain["dictionary"].values, same["dictionary"].values)
    assert not np.array_equal(plain["dictionary"].values, other["dictionary"].values)


def test_its_codes_are_inferred_again_by_its_method(bench, made, tmp_path):
    model, codes = made["relu_x30"]
    encode(bench.data(), model, "cpu", 1, tmp_path / "codes.nc")
    data = CellData(bench.data())
    again, first = Codes(tmp_path / "codes.nc", data), Codes(codes, data)
    assert again.method == "relu_x30"
    np.testing.assert_array_equal(again.dense("val", 0), first.dense("val", 0))


def test_it_is_a_patient_like_any_other(bench, made, tmp_path):
    operate("frozen_decoder", bench.data(), *made["relu_x30"], {}, "cpu", 1, tmp_path / "o.nc")
    operation = Operation(tmp_path / "o.nc", CellData(bench.data()))
    assert (operation.method, operation.status) == ("relu_x30", "ok")
    assess(bench.data(), [tmp_path / "o.nc"], "paper", tmp_path / "metrics.nc")
    assert store.read(tmp_path / "metrics.nc", "metrics")["method"].values.tolist() == ["relu_x30"]


def test_it_is_what_the_penalty_sweep_makes_of_its_method(bench, made, tmp_path):
    factors = {"penalty_factors": (1.0, 30.0)}
    operate("penalty_sweep", bench.data(), *made["sae_relu"], factors, "cpu", 1, tmp_path / "o.nc")
    data = CellData(bench.data())
    operation, codes = Operation(tmp_path / "o.nc", data), Codes(made["relu_x30"][1], data)
    place = operation.places("factor").index(("trained", 30))
    for split in data.scored:
        np.testing.assert_array_equal(operation.dense(split, place, 1), codes.dense(split, 1))


def test_a_table_holds_the_method_and_its_models_side_by_side(table):
    scores = table["mcc_id"].mean("seed").isel(n_latents=0).values
    assert scores[0] == scores[1] != scores[2]
    titles = [methods.trait("sae_relu", "title"), "RELU_X1", "RELU_X30"]
    assert table["title"].values.tolist() == titles
    assert table["family"].values.tolist() == ["sae"] * 3


def test_claims_are_judged_without_models(table):
    assert without_models(table)["method"].values.tolist() == ["sae_relu"]
    bare = table.assign_attrs(settings=json.dumps({"over": ["n_latents"]}))
    assert without_models(bare) is bare


def test_no_setting_is_called_as_a_key_of_a_model():
    for name in methods.available():
        fields = methods.load(name).Settings.__dataclass_fields__
        assert not {"method", "title", "parent"} & fields.keys()
