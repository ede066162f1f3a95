"""AUC of all columns at once, against scikit-learn's column by column."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score

from sae_surgery.metrics.measures import auc
from sae_surgery.metrics.measures.auc import best_column_auc, column_auc

# A handful of values, so that ties abound; zero most of all, as in codes.
TIED = st.sampled_from([-2.0, -0.5, -0.0, 0.0, 0.0, 0.25, 1.0, 3.0])
ANY = st.floats(-1e3, 1e3, allow_subnormal=False, width=32)
SHAPES = st.tuples(st.integers(2, 12), st.integers(1, 6))


@st.composite
def scored(draw):
    n_samples, n_atoms = draw(SHAPES)
    codes = draw(
        arrays(np.float32, (n_samples, n_atoms), elements=draw(st.sampled_from([TIED, ANY])))
    )
    labels = draw(arrays(np.bool_, n_samples))
    labels[:2] = [False, True]
    return codes, labels


@settings(deadline=None, max_examples=80)
@given(scored())
def test_equal_to_scikit_learn(case):
    codes, labels = case
    expected = [
        0.5 if column.std() < 1e-10 else roc_auc_score(labels, column) for column in codes.T
    ]
    np.testing.assert_allclose(column_auc(codes, labels), expected, atol=1e-12)


def test_chunks_do_not_show(monkeypatch):
    rng = np.random.default_rng(0)
    codes, labels = rng.normal(size=(50, 23)), rng.uniform(size=50) < 0.3
    whole = column_auc(codes, labels)
    monkeypatch.setattr(auc, "ENTRIES_AT_ONCE", 200)
    np.testing.assert_array_equal(column_auc(codes, labels), whole)


def test_constant_columns_say_nothing():
    codes = np.tile([0.0, 0.3, -7.0, 1e-12], (6, 1))
    codes[:3, 3] = 0
    np.testing.assert_array_equal(column_auc(codes, np.arange(6) < 3), 0.5)


@pytest.mark.parametrize("label", [False, True])
def test_one_class_of_labels_says_nothing(label):
    codes = np.random.default_rng(0).normal(size=(6, 3))
    np.testing.assert_array_equal(column_auc(codes, np.full(6, label)), np.nan)


def test_labels_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="got 5 for 6 samples"):
        column_auc(np.ones((6, 3)), np.ones(5))


def test_best_column_is_chosen_on_id_and_scored_on_ood():
    labels = np.array([0, 0, 1, 1])
    codes_id = np.array([[0.0, 4.0, 1.0], [2.0, 3.0, 2.0], [1.0, 2.0, 3.0], [3.0, 1.0, 4.0]])
    codes_ood = np.array([[9.0, 1.0, 0.0], [9.0, 2.0, 0.0], [9.0, 3.0, 1.0], [9.0, 0.0, 1.0]])
    # Columns 1 (inverted) and 2 are perfect on ID; the first of them has AUC 0.5 on OOD.
    assert best_column_auc(codes_id, labels, codes_ood, labels) == (1.0, 0.5)


def test_either_sign_counts_on_both_splits():
    labels = np.array([0, 0, 1, 1])
    codes = np.array([[1.0], [2.0], [3.0], [4.0]])
    assert best_column_auc(codes, labels, -codes, labels) == (1.0, 1.0)
