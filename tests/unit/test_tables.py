"""Tables put each cell's metrics where they belong."""

import numpy as np
import pytest
import xarray as xr

from sae_surgery.errors import SurgeryError
from sae_surgery.tables.layout import tabulate

METHODS = ["raw", "pca"]
SEEDS = [0, 1]


def metrics(cell, value):
    values = value + np.arange(4.0).reshape(2, 2)
    described = {"long_name": "MCC", "units": "1"}
    return xr.Dataset(
        {"mcc_id": (("method", "seed"), values, described)},
        {
            "method": ("method", METHODS, {"long_name": "name"}),
            "seed": ("seed", SEEDS, {"long_name": "seed"}),
        },
        {"cell": cell},
    )


def sweep(over, cells, methods=METHODS, seeds=SEEDS, **left_out):
    return {
        "over": over,
        "methods": methods,
        "seeds": seeds,
        "cells": cells,
        "left_out": left_out,
    }


SMALL = {"cell": "n20_k3_m12_s100", "n_latents": 20, "k": 3}
LARGE = {"cell": "n40_k5_m21_s100", "n_latents": 40, "k": 5}
FILES = [metrics(LARGE["cell"], 10.0), metrics(SMALL["cell"], 0.0)]


def test_one_sweep_variable():
    table = dict(tabulate(sweep(["n_latents"], [LARGE, SMALL]), FILES))
    assert table["mcc_id"].dims == ("method", "n_latents", "seed")
    np.testing.assert_array_equal(table["n_latents"].values, [20, 40])
    np.testing.assert_array_equal(table["mcc_id"].values, [[[0, 1], [10, 11]], [[2, 3], [12, 13]]])
    np.testing.assert_array_equal(table["obs_dim"].values, [12, 21])
    assert table["title"].values.tolist() == ["Raw observation", "PCA"]


def test_combinations_without_a_cell_are_nan():
    table = dict(tabulate(sweep(["n_latents", "k"], [SMALL, LARGE]), FILES))
    assert table["mcc_id"].values.shape == (2, 2, 2, 2)
    assert np.isnan(table["mcc_id"].values[:, 0, 1]).all()
    assert np.isfinite(table["mcc_id"].values[:, 0, 0]).all()
    np.testing.assert_array_equal(table["obs_dim"].values, [[12, 0], [0, 21]])


def test_methods_and_seeds_are_selected_in_the_order_asked_for():
    table = dict(tabulate(sweep(["k"], [SMALL], ["pca"], [1, 0]), FILES))
    np.testing.assert_array_equal(table["mcc_id"].values, [[[3, 2]]])


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        (sweep(["k"], [{"cell": "n9_k2_m3_s10", "k": 2}]), "cell n9_k2_m3_s10 are missing"),
        (sweep(["k"], [SMALL], ["raw", "sae_mp"]), "lack the method 'sae_mp'"),
        (sweep(["k"], [SMALL], seeds=[0, 7]), "lack the seed 7"),
    ],
)
def test_what_is_missing_is_named(request_, complaint):
    with pytest.raises(SurgeryError, match=complaint):
        list(tabulate(request_, FILES))


def test_what_is_left_out_is_nan_whether_its_metrics_are_there_or_not():
    asked = sweep(["n_latents"], [LARGE, SMALL], raw=[LARGE["cell"]])
    for large in (FILES[0], FILES[0].sel({"method": ["pca"]})):
        table = dict(tabulate(asked, [large, FILES[1]]))
        assert table["method"].values.tolist() == METHODS
        assert table["title"].values.tolist() == ["Raw observation", "PCA"]
        raw, pca = table["mcc_id"].values
        np.testing.assert_array_equal(raw, [[0, 1], [np.nan, np.nan]])
        np.testing.assert_array_equal(pca, [[2, 3], [12, 13]])


def surgery_metrics(cell, steps, value):
    """Give metrics over method, condition and a sweep of the surgery's own."""
    shape = (len(METHODS), 2, len(steps), len(SEEDS))
    values = value + np.arange(np.prod(shape), dtype=float).reshape(shape)
    coords = {"method": METHODS, "condition": ["warm", "cold"], "n_iter": steps, "seed": SEEDS}
    return xr.Dataset(
        {"mcc_id": (tuple(coords), values, {"long_name": "MCC", "units": "1"})},
        {name: (name, labels, {"long_name": name}) for name, labels in coords.items()},
        {"cell": cell},
    )


def test_surgeries_bring_a_condition_and_a_sweep_of_their_own():
    files = [
        surgery_metrics(SMALL["cell"], [0, 1], 0.0),
        surgery_metrics(LARGE["cell"], [1, 5], 100.0),
    ]
    table = dict(tabulate(sweep(["n_latents"], [SMALL, LARGE]), files))
    assert table["mcc_id"].dims == ("method", "condition", "n_latents", "seed", "n_iter")
    np.testing.assert_array_equal(table["n_iter"].values, [0, 1, 5])
    assert table["condition"].values.tolist() == ["warm", "cold"]
    small, large = table["mcc_id"].values[1, 0].transpose(0, 2, 1)
    np.testing.assert_array_equal(small, [[8, 9], [10, 11], [np.nan, np.nan]])
    np.testing.assert_array_equal(large, [[np.nan, np.nan], [108, 109], [110, 111]])


def test_sweeps_over_samples_per_latent_tell_from_how_many_on_all_is_determined():
    cells = [SMALL | {"samples_per_latent": 2.5}, LARGE | {"samples_per_latent": 1.25}]
    table = dict(tabulate(sweep(["n_latents", "samples_per_latent"], cells), FILES))
    least = table["least_samples_per_latent"].values
    np.testing.assert_allclose(np.diag(least[:, ::-1]), [11 / 9, 20 / 16])
    assert np.isnan(np.diag(least)).all()
    assert "least_samples_per_latent" not in dict(tabulate(sweep(["k"], [SMALL]), FILES))
