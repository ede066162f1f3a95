"""What every problem must do, found by name: a new one is tested as soon as its file is there."""

from dataclasses import fields, replace

import numpy as np
import pytest

from sae_surgery import problems
from sae_surgery.errors import SurgeryError
from sae_surgery.files.data import CellData
from sae_surgery.problems.base import SAFE_NAME
from sae_surgery.steps.renew import renew
from sae_surgery.steps.simulate import simulate

SMALL = {"n_latents": 24, "k": 3, "n_samples": 300}
"""Sizes that keep the contract quick."""
SEEDS = (0, 3)


@pytest.fixture(scope="module")
def activations(tmp_path_factory):
    """Files of a user: observations, others out of distribution, and labels of both."""
    folder = tmp_path_factory.mktemp("activations")
    stream = np.random.default_rng(0)
    np.save(folder / "acts.npy", stream.normal(3, 2, (50, 20, 8)).astype(np.float16))
    np.save(folder / "other.npy", stream.normal(3, 2, (400, 8)).astype(np.float32))
    np.save(folder / "labels.npy", stream.random(1400) < 0.3)
    names = {"observations": "acts", "ood": "other", "labels": "labels"}
    return {key: str(folder / f"{name}.npy") for key, name in names.items()}


@pytest.fixture(params=problems.available())
def problem(request, activations):
    """Make a small problem of each kind."""
    place = SMALL | (activations if request.param == "activations" else {})
    return problems.kind(request.param).at(place)


@pytest.fixture
def data(problem, tmp_path):
    """Write the problem's data file, and one with fresh samples."""
    drawn, renewed = tmp_path / "data.nc", tmp_path / "fresh.nc"
    simulate(problem, SEEDS, drawn)
    renew(drawn, renewed)
    return CellData(drawn), CellData(renewed)


def test_its_name_is_part_of_a_path_and_its_own(problem):
    assert SAFE_NAME.fullmatch(problem.name)
    assert problem.name == replace(problem).name
    assert replace(problem, n_samples=302).name != problem.name


def test_it_comes_back_from_its_file(problem, data):
    assert data[0].cell == problem
    assert problems.load(problem.kind(), problem.settings) == problem


def test_splits_have_the_sizes_that_it_declares(problem, data):
    for split, size in (
        ("train", problem.n_train),
        ("val", problem.n_val),
        ("ood", problem.n_ood),
    ):
        assert data[0].observations(split).shape == (len(SEEDS), size, problem.obs_dim)


def test_it_knows_what_it_says(problem, data):
    assert set(data[0].knows) <= set(problem.knows)
    if "dictionary" in data[0].knows:
        assert data[0].dictionary().shape == (len(SEEDS), problem.obs_dim, problem.n_latents)
    if "labels" in data[0].knows:
        for split in data[0].scored:
            assert 0 < data[0].labels(split, 0).mean() < 1


def test_codes_and_dictionary_explain_the_observations(problem, data):
    if "codes" not in data[0].knows:
        with pytest.raises(SurgeryError, match="has no true"):
            data[0].true_codes("train", 0)
        return
    for split in ("train", "ood"):
        mixed = data[0].true_codes(split, 0) @ data[0].dictionary(0).T
        observed = data[0].observations(split)[0]
        noise = observed - mixed
        unexplained = noise.var() / observed.var()
        assert unexplained < 0.2, (
            f"{split}: codes and dictionary leave {unexplained:.0%} of the variance of the "
            "observations unexplained; at its defaults a problem's noise must leave less than 20 %"
        )


def test_the_same_seed_draws_the_same_and_others_do_not_matter(problem, data, tmp_path):
    simulate(problem, SEEDS[1:], tmp_path / "one.nc")
    alone = CellData(tmp_path / "one.nc")
    for split in ("train", *data[0].scored):
        together = data[0].observations(split)
        np.testing.assert_array_equal(alone.observations(split)[0], together[1])
        assert not np.array_equal(together[0], together[1])


def test_fresh_samples_keep_train_and_repeat_no_other(problem, data):
    drawn, renewed = data
    assert renewed.root == drawn.digest
    np.testing.assert_array_equal(renewed.observations("train"), drawn.observations("train"))
    first = drawn.observations("val")[0]
    fresh = renewed.observations("val")[0]
    has_fresh = problem.fresh(SEEDS[0], drawn.drawn(0)) is not None
    assert np.array_equal(first, fresh[: len(first)]) != has_fresh


def test_signs_are_as_declared(problem, data):
    if "codes" not in data[0].knows:
        assert not problem.signed
        return
    assert (data[0].true_codes("val", 0) < 0).any() == problem.signed


def test_each_setting_changes_the_digest(problem):
    for field in fields(problem):
        value = getattr(problem, field.name)
        if isinstance(value, int) and not isinstance(value, bool) and field.name == "n_samples":
            assert replace(problem, **{field.name: value + 2}).digest != problem.digest


def test_settings_beside_a_cell_are_refused_and_not_ignored(tmp_path):
    cell = problems.kind("paper").at(SMALL)
    with pytest.raises(SurgeryError, match="--settings"):
        simulate(cell, SEEDS, tmp_path / "data.nc", settings={"norm_ratio": 4})
    assert not (tmp_path / "data.nc").exists()
