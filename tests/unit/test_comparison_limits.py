"""How far apart numbers may lie: as far as rounding carries, measured or derived."""

import numpy as np
import pandas as pd
import pytest

from sae_surgery.metrics.measures import mcc
from sae_surgery.pages.comparison import accumulation, rounding
from sae_surgery.pages.comparison.criteria import Criteria

ALPHA = 0.05
EXACT = Criteria.of({}).limits["mcc"].exact


def places(n_latents=100, n_samples=5000, metric="mcc_ood", method="sae_relu", own=True):
    """Return a frame of numbers, one for each of the values that are lists."""
    return pd.DataFrame(
        {
            "method": method,
            "own": own,
            "n_latents": n_latents,
            "n_samples": n_samples,
            "metric": metric,
        }
    )


def in_single_precision(true, inferred):
    """Return the correlations as published: means and deviations in float32, sample by sample."""
    standard = []
    for columns in (true, inferred):
        columns = np.ascontiguousarray(columns, dtype=np.float32)
        standard.append((columns - columns.mean(axis=0)) / columns.std(axis=0))
    return standard[0].T @ standard[1] / len(true)


def error_of_mcc(n_samples, k, monkeypatch):
    """Return how far single precision carries the MCC of nearly true codes, n = 100."""
    rng = np.random.default_rng(0)
    active = rng.uniform(size=(n_samples, 50)) < k / 50
    true = np.hstack([rng.uniform(size=active.shape) * active, np.zeros_like(active)])
    codes = 0.9 * true + 0.05 * rng.uniform(size=true.shape) * (true > 0)
    codes = codes.astype(np.float32)
    exact = mcc.mcc_ood(true, codes)
    with monkeypatch.context() as patch:
        patch.setattr(mcc, "correlation", in_single_precision)
        return abs(mcc.mcc_ood(true, codes) - exact)


@pytest.mark.parametrize("k", [2, 10, 25])
@pytest.mark.parametrize("n_scored", [1000, 25_000, 50_000])
def test_an_mcc_in_single_precision_stays_within_the_derived_limit(n_scored, k, monkeypatch):
    limit = accumulation.reach(100, k, 2 * n_scored)
    assert 0 < error_of_mcc(n_scored, k, monkeypatch) <= max(limit, EXACT)


def test_the_derived_limit_grows_with_the_samples_and_is_not_idle(monkeypatch):
    small, large = (accumulation.reach(100, 10, n_samples) for n_samples in (5000, 100_000))
    assert large == pytest.approx(20 * small)
    assert small < 1.1 * EXACT
    assert error_of_mcc(50_000, 10, monkeypatch) > large / 50


def test_what_inactive_samples_contribute_is_their_part_of_the_variance():
    rng = np.random.default_rng(0)
    for active in (0.05, 0.2, 0.6):
        is_active = rng.uniform(size=400_000) < active
        centred = np.where(is_active, rng.uniform(size=is_active.size), 0)
        centred -= centred.mean()
        found = (centred[~is_active] ** 2).sum() / (centred**2).sum()
        assert accumulation.share_of_inactive(active) == pytest.approx(found, rel=0.02)


def test_rounding_reaches_as_far_as_at_smaller_sizes():
    sizes = [10, 50, 100, 1000, 10_000]
    found = rounding.reach(places(sizes), ALPHA)
    assert found[0] == 0
    assert (np.diff(found) >= 0).all()
    assert found[-1] == found[-2] > 0
    assert (rounding.reach(places(sizes, 4999), ALPHA) == 0).all()
    assert (rounding.reach(places(sizes, metric="no_such"), ALPHA) == 0).all()
    assert (rounding.reach(places(sizes, method="sae_topk"), ALPHA) == 0).all()


def test_rounding_reaches_farther_in_longer_trainings():
    found = rounding.reach(places(n_samples=[5000, 100_000]), ALPHA)
    assert 0 < found[0] < found[1]


def test_rounding_reaches_farther_in_codes_that_surgeries_infer():
    found = rounding.reach(places(own=[True, False], metric="auc_ood"), ALPHA)
    assert found[0] < found[1]


def test_no_bound_is_below_what_was_measured():
    table = pd.read_csv(rounding.TABLE).query("reading == 'own'")
    for metric in ("mcc_id", "mcc_ood", "auc_ood", "acc_id"):
        rows = table[["method", "n_latents", "n_samples"]].assign(own=True, metric=metric)
        assert (rounding.reach(rows, ALPHA) >= table[metric]).all()


@pytest.mark.parametrize("trainings", [3, 6, 30])
def test_the_farthest_of_three_seeds_exceeds_a_bound_no_more_often_than_the_level(trainings):
    rng = np.random.default_rng(0)
    trials = 4000
    exceeded = [
        np.abs(rng.normal(size=3)).max()
        > rounding.bound(pd.Series(rng.normal(size=trainings)).abs(), ALPHA)
        for _ in range(trials)
    ]
    noise = 4 * np.sqrt(ALPHA * (1 - ALPHA) / trials)
    assert np.mean(exceeded) <= ALPHA + noise
    assert np.mean(exceeded) > ALPHA / 4


def test_few_trainings_widen_a_bound():
    def widened(n):
        return rounding.bound(pd.Series([1.0] * n), ALPHA)

    assert widened(3) > 1.5 * widened(30) > 2 * 1.5
    assert rounding.bound(pd.Series([np.nan, np.nan]), ALPHA) == 0


def test_bounds_foretell_the_reruns_of_seeds_that_they_do_not_know():
    """Leave a seed out, take the bound from the others: its reruns lie within, but for a few."""
    table = pd.read_csv(rounding.TABLE).query("rerun > 0 and n_samples == 5000")
    outside = []
    for _, some in table.groupby(["method", "reading", "n_latents"]):
        for metric in ("mcc_id", "mcc_ood", "dictionary_mean_cosine"):
            for seed, left_out in some.groupby("seed")[metric]:
                bound = rounding.bound(some[some["seed"] != seed][metric], ALPHA)
                outside += (left_out > bound).tolist()
    assert len(outside) > 500
    assert np.mean(outside) < 0.1
