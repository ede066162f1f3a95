"""The logistic probe: optimal where an optimum exists, honest where it stops early."""

import warnings

import numpy as np
import pytest
from scipy.optimize import minimize

from sae_surgery.metrics.measures import probe
from sae_surgery.metrics.measures.probe import accuracy, fit_probe


def noisy_problem(seed: int, n_samples: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = rng.normal(size=(n_samples, 3))
    return codes, codes @ [2.0, -1.0, 0.0] + rng.logistic(size=n_samples) > 0.5


def test_equal_to_the_maximum_of_the_likelihood():
    (codes_id, labels_id), (codes_ood, labels_ood) = noisy_problem(0), noisy_problem(1)

    def loss(parameters):
        margin = (codes_id @ parameters[1:] + parameters[0]) * np.where(labels_id, 1, -1)
        return np.logaddexp(0, -margin).sum()

    intercept, *slopes = minimize(loss, np.zeros(4)).x
    expected = [
        np.mean((codes @ slopes + intercept > 0) == labels)
        for codes, labels in ((codes_id, labels_id), (codes_ood, labels_ood))
    ]
    result = accuracy(codes_id, labels_id, codes_ood, labels_ood)
    np.testing.assert_allclose([result.acc_id, result.acc_ood], expected)
    assert 0 < result.n_iter < probe.MAX_ITERATIONS


def test_shifted_labels_are_learnt_by_the_intercept_and_fail_out_of_distribution():
    codes = np.linspace(-1, 1, 40)[:, None]
    labels = codes[:, 0] > 0.5
    assert accuracy(codes, labels, codes, ~labels)[:2] == (1.0, 0.0)


def test_stopping_early_is_told_not_warned_about(monkeypatch):
    monkeypatch.setattr(probe, "MAX_ITERATIONS", 2)
    codes, labels = noisy_problem(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert accuracy(codes, labels, codes, labels).n_iter == 2


def test_one_class_in_training_leaves_accuracies_undefined():
    codes = np.random.default_rng(0).normal(size=(4, 2))
    result = accuracy(codes, np.ones(4, bool), codes, np.array([True, True, True, False]))
    np.testing.assert_array_equal(result, (np.nan, np.nan, 0))
    assert fit_probe(codes, np.zeros(4, bool)) == (None, 0)


def test_codes_that_are_not_finite_are_refused():
    codes, labels = noisy_problem(0)
    codes[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        accuracy(codes, labels, codes, labels)
