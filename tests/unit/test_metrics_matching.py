"""Similarities and assignment, against SciPy and against brute force."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr

from sae_surgery.metrics.measures.matching import MOSTLY_ZERO, correlation, cosine, match


def random_matrix(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_correlation_is_pearsons(dtype):
    true, inferred = random_matrix(0, 30, 4), random_matrix(1, 30, 3).astype(dtype)
    expected = [[pearsonr(t, c.astype(float)).statistic for c in inferred.T] for t in true.T]
    np.testing.assert_allclose(correlation(true, inferred), expected, atol=1e-12)


def test_constant_columns_correlate_with_nothing():
    true, inferred = random_matrix(0, 30, 2), np.full((30, 2), 0.3)
    inferred[:, 1] = true[:, 0]
    np.testing.assert_allclose(correlation(true, inferred)[:, 0], 0)
    assert correlation(true, inferred)[0, 1] == pytest.approx(1)


def test_columns_without_direction_have_cosine_zero():
    left = np.array([[1e-9, 3.0], [0.0, 4.0]])
    np.testing.assert_allclose(cosine(left, np.eye(2)), [[0, 0], [0.6, 0.8]])


def test_lengths_that_differ_are_named():
    with pytest.raises(ValueError, match="5 and 6"):
        correlation(np.ones((5, 2)), np.ones((6, 2)))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 5))
def test_match_is_the_best_of_all_assignments(seed, n_rows, n_columns):
    similarity = np.random.default_rng(seed).uniform(size=(n_rows, n_columns))
    rows, columns = match(similarity)

    wide = similarity if n_rows <= n_columns else similarity.T
    n_pairs = min(n_rows, n_columns)
    best = max(
        wide[range(n_pairs), chosen].sum() for chosen in permutations(range(wide.shape[1]), n_pairs)
    )
    assert len(set(rows)) == len(set(columns)) == n_pairs
    assert similarity[rows, columns].sum() == pytest.approx(best)


def test_match_pairs_the_shorter_side_whole_even_at_no_gain():
    similarity = np.zeros((4, 6))
    similarity[1, 2] = 0.5
    for table in (similarity, similarity.T):
        rows, columns = match(table)
        assert len(set(rows)) == len(set(columns)) == 4
        assert list(rows) == sorted(rows)
        assert table[rows, columns].sum() == 0.5


@pytest.mark.parametrize("bad", [-0.1, np.nan, np.inf])
def test_match_refuses_what_is_no_similarity(bad):
    with pytest.raises(ValueError, match="must be finite and not negative"):
        match(np.array([[0.3, 0.2], [bad, 0.1]]))


def test_correlation_is_the_same_for_sparse_and_for_dense_columns():
    rng = np.random.default_rng(0)
    true = rng.uniform(size=(400, 12)) * (rng.uniform(size=(400, 12)) < np.linspace(0, 1, 12))
    inferred = 5 + rng.normal(size=(400, 7)) + true[:, :7]
    true[:, 3] = 0.25
    live = np.ptp(true, axis=0) > 0
    expected = np.zeros((12, 7))
    expected[live] = np.corrcoef(true[:, live].T, inferred.T)[: live.sum(), live.sum() :]
    assert not live.all() and (np.mean(true != 0, axis=0) < MOSTLY_ZERO).sum() > 1
    np.testing.assert_allclose(correlation(true, inferred), expected, atol=1e-13)
