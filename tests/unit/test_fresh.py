"""Fresh samples: enough of them, of the same cell, and none of those drawn before."""

import numpy as np
import pytest

from sae_surgery.files.data import CellData
from sae_surgery.problems.laws import fresh
from sae_surgery.problems.laws.fresh import LEAST_SAMPLES, LEAST_USES, MOST_NUMBERS
from sae_surgery.problems.paper import Cell
from sae_surgery.steps.renew import renew
from sae_surgery.steps.simulate import simulate

CELL = Cell(n_latents=12, k=3, obs_dim=8, n_samples=60)
SEEDS = (0, 5)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Make published and fresh data, the latter few."""
    monkeypatch.setattr(fresh, "LEAST_SAMPLES", 100)
    monkeypatch.setattr(fresh, "LEAST_USES", 30)
    published, renewed = tmp_path / "data.nc", tmp_path / "fresh.nc"
    simulate(CELL, SEEDS, published)
    renew(published, renewed)
    return published, renewed


@pytest.mark.parametrize(
    ("n_latents", "k"), [(20, 2), (20, 10), (1001, 2), (1000, 100), (5001, 10), (10000, 10)]
)
@pytest.mark.parametrize("n_samples", [100, 5000])
def test_the_rarest_latent_is_used_often_enough_in_expectation(n_latents, k, n_samples):
    cell = Cell(n_latents, k, k + 1, n_samples)
    n_val, n_ood = cell.fresh_samples()
    assert n_val >= LEAST_SAMPLES
    in_distribution = n_val / 2 * k / (n_latents - 1)
    out_of_distribution = n_ood * (k - 1) / cell.n_ood_pool
    assert in_distribution >= LEAST_USES * (1 - 1e-9)
    assert out_of_distribution >= LEAST_USES * (1 - 1e-3)


def test_codes_of_the_largest_cells_fit_into_memory():
    cell = Cell(1_000_000, 10, 231, 1000)
    n_val, _ = cell.fresh_samples()
    assert 2 <= n_val < LEAST_SAMPLES
    assert n_val * cell.n_latents <= MOST_NUMBERS


def test_dictionary_and_train_stay_and_the_rest_is_new(files):
    published, renewed = map(CellData, files)
    np.testing.assert_array_equal(renewed.dictionary(), published.dictionary())
    for part in range(2):
        np.testing.assert_array_equal(
            renewed.sparse_codes("train")[part], published.sparse_codes("train")[part]
        )
    drawn = published.sparse_codes("val")[1], published.sparse_codes("ood")[1]
    for split in ("val", "ood"):
        magnitude = renewed.sparse_codes(split)[1]
        assert not np.isin(magnitude, np.concatenate(drawn, axis=1)).any()
        assert len(np.unique(magnitude)) == magnitude.size


def test_every_latent_is_used_as_often_as_expected(files):
    renewed = CellData(files[1])
    for split, n_samples in zip(("val", "ood"), CELL.fresh_samples(), strict=True):
        for seed in range(len(SEEDS)):
            uses = (renewed.true_codes(split, seed) != 0).sum(axis=0)
            assert len(renewed.labels(split, seed)) == n_samples
            assert uses[CELL.n_latents - CELL.n_ood_pool :].min() > 0.4 * 30
    assert (renewed.true_codes("ood", 0)[:, 1 : CELL.n_latents - CELL.n_ood_pool] == 0).all()


def test_models_of_the_published_data_are_models_of_the_fresh(files):
    published, renewed = map(CellData, files)
    assert renewed.root == published.root == published.digest != renewed.digest


def test_the_same_bytes_each_time_and_seeds_by_themselves(files, tmp_path):
    published, renewed = files
    renew(published, tmp_path / "again.nc")
    assert (tmp_path / "again.nc").read_bytes() == renewed.read_bytes()
    simulate(CELL, SEEDS[1:], tmp_path / "one.nc")
    renew(tmp_path / "one.nc", tmp_path / "one_fresh.nc")
    alone, together = CellData(tmp_path / "one_fresh.nc"), CellData(renewed)
    for split in ("train", "val", "ood"):
        np.testing.assert_array_equal(alone.true_codes(split, 0), together.true_codes(split, 1))
