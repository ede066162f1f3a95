"""Intervals by the bootstrap: as wide as theory says, and cheap for any number of samples."""

import numpy as np
import pytest

from sae_surgery.metrics.measures import bootstrap


@pytest.mark.parametrize("n_samples", [1, 7, 100, 101, 12345])
def test_groups_hold_every_sample_once(n_samples):
    samples = np.arange(n_samples)
    parts = [samples[part] for part in bootstrap.groups(n_samples)]
    np.testing.assert_array_equal(np.concatenate(parts), samples)
    assert min(map(len, parts)) > 0
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_the_interval_of_a_share_is_that_of_the_binomial_distribution():
    hits = np.random.default_rng(0).uniform(size=5000) < 0.3
    sums = np.array([[hits[part].sum(), hits[part].size] for part in bootstrap.groups(5000)])
    low, high = bootstrap.interval(sums, lambda drawn: drawn[:, 0] / drawn[:, 1])
    assert low < hits.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.21 / 5000), rel=0.25)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    drawn = np.random.default_rng(1).normal(size=(200, 400))
    held = 0
    for values in drawn:
        sums = np.array([[values[part].sum(), 4.0] for part in bootstrap.groups(400)])
        low, high = bootstrap.interval(sums, lambda sums: sums[:, 0] / sums[:, 1])
        held += low < 0 < high
    assert 0.88 < held / 200 < 0.99


def test_the_interval_of_a_mean_lies_within_its_values():
    values = np.array([[0.1, 0.4, 0.2], [0.25, 0.25, 0.25], [0.1, np.nan, 0.2]])
    low, high = bootstrap.intervals_of_means(values)
    assert 0.1 - 1e-9 < low[0] < values[0].mean() < high[0] < 0.4 + 1e-9
    assert (low[1], high[1]) == pytest.approx((0.25, 0.25))
    assert np.isnan([low[2], high[2]]).all()
