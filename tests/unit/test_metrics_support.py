"""Support metrics, against sets and against cases worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sae_surgery.metrics.measures.support import support_metrics


def test_a_case_by_hand():
    true = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.5, 0.0]])
    codes = np.array([[0.0, 2.0, -3.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    same = np.arange(4)
    result = support_metrics(true, codes, same, same)
    # The second sample has no active atom: precision and F1 are 0 there.
    assert result == (0.25, 0.25, 0.25, 1.5, 1.0, 1.0)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 6))
def test_equal_to_sets(seed, n_latents, n_atoms):
    rng = np.random.default_rng(seed)
    true = rng.uniform(size=(8, n_latents)) * (rng.uniform(size=(8, n_latents)) < 0.4)
    codes = rng.normal(size=(8, n_atoms)) * (rng.uniform(size=(8, n_atoms)) < 0.4)
    n_pairs = min(n_latents, n_atoms)
    rows, columns = rng.permutation(n_latents)[:n_pairs], rng.permutation(n_atoms)[:n_pairs]
    latent_of = dict(zip(columns, rows, strict=True))

    precision, recall, f1 = [], [], []
    for truth, code in zip(true, codes, strict=True):
        wanted = set(np.flatnonzero(truth > 1e-4))
        found = [latent_of.get(atom) for atom in np.flatnonzero(np.abs(code) > 1e-4)]
        hits = sum(latent in wanted for latent in found)
        precision.append(hits / len(found) if found else 0)
        recall.append(hits / len(wanted) if wanted else 0)
        both = precision[-1] + recall[-1]
        f1.append(2 * precision[-1] * recall[-1] / both if both else 0)

    result = support_metrics(true, codes, rows, columns)
    np.testing.assert_allclose(result[:3], np.mean([precision, recall, f1], axis=1))
    assert result.l0_matched <= result.l0_total


def test_the_true_codes_are_a_perfect_answer_in_any_order():
    rng = np.random.default_rng(0)
    true = rng.uniform(0.1, 1, size=(20, 6)) * (np.arange(6) < 3)
    order = rng.permutation(6)
    assert support_metrics(true, true[:, order], order, np.arange(6)) == (1, 1, 1, 3, 3, 3)


def test_empty_supports_score_nothing():
    same = np.arange(3)
    assert support_metrics(np.zeros((5, 3)), np.zeros((5, 3)), same, same) == (0,) * 6


def test_partners_are_needed_on_both_sides():
    active = np.ones((4, 3))
    pair = np.array([0])
    unmatched_latents = support_metrics(active, active[:, :1], pair, pair)
    unmatched_atoms = support_metrics(active[:, :1], active, pair, pair)
    assert unmatched_latents[:2] == (1, pytest.approx(1 / 3))
    assert unmatched_atoms[:2] == (pytest.approx(1 / 3), 1)
    assert (unmatched_atoms.l0_matched, unmatched_atoms.l0_total) == (1, 3)


def test_the_threshold_holds_on_both_sides():
    true, codes, same = np.array([[1.0, 1e-4]]), np.array([[-0.2, 0.05]]), np.arange(2)
    assert support_metrics(true, codes, same, same)[3:] == (1, 2, 2)
    assert support_metrics(true, codes, same, same, threshold=0.1)[3:] == (1, 1, 1)


def test_numbers_of_samples_that_differ_are_named():
    with pytest.raises(ValueError, match="got 3 for 4"):
        support_metrics(np.ones((4, 1)), np.ones((3, 1)), np.array([0]), np.array([0]))
