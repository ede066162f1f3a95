"""MCC against a second reading of the published rule, written with loops and SciPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.stats import pearsonr

from sae_surgery.metrics.measures.mcc import mcc_id, mcc_ood


def sparse_columns(rng: np.random.Generator, n_samples: int, width: int) -> np.ndarray:
    return rng.uniform(size=(n_samples, width)) * (rng.uniform(size=(n_samples, width)) < 0.5)


def mean_of_best_pairs(true: np.ndarray, codes: np.ndarray) -> float:
    """Pad, correlate and match as the protocol words it."""
    left, right = list(true.T), list(codes.T.astype(float))
    missing = abs(len(left) - len(right))
    noise = np.random.RandomState(42).normal(0, 1, (len(true), missing))
    (left if len(left) < len(right) else right).extend(noise.T)
    table = np.zeros((len(left), len(right)))
    for i, one in enumerate(left):
        for j, other in enumerate(right):
            if min(np.linalg.norm(one - one.mean()), np.linalg.norm(other - other.mean())) >= 1e-8:
                table[i, j] = abs(pearsonr(one, other).statistic)
    return table[linear_sum_assignment(-table)].mean()


def active_columns(true: np.ndarray) -> np.ndarray:
    return np.stack([column for column in true.T if column.var() > 1e-8], axis=1)


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_latents=st.integers(2, 7),
    n_silent=st.integers(0, 2),
    n_atoms=st.integers(1, 8),
    n_dead=st.integers(0, 2),
)
def test_mcc_follows_the_published_rule(seed, n_latents, n_silent, n_atoms, n_dead):
    rng = np.random.default_rng(seed)
    true, codes = sparse_columns(rng, 40, n_latents), sparse_columns(rng, 40, n_atoms)
    true[:, 1 : min(1 + n_silent, n_latents)] = 0
    codes[:, :n_dead] = 0.25
    codes = codes.astype(np.float32)

    active = active_columns(true)
    assert mcc_id(true, codes) == pytest.approx(mean_of_best_pairs(active, codes), abs=1e-9)

    by_variance = sorted(range(n_atoms), key=lambda atom: -codes[:, atom].var())
    chosen = codes[:, by_variance[: active.shape[1]]]
    assert mcc_ood(true, codes) == pytest.approx(mean_of_best_pairs(active, chosen), abs=1e-9)


@pytest.mark.parametrize("mcc", [mcc_id, mcc_ood])
def test_order_sign_and_scale_of_atoms_do_not_matter(mcc):
    rng = np.random.default_rng(0)
    true = sparse_columns(rng, 200, 6)
    codes = (true * [1, -2, 3, 4, 5, -6])[:, rng.permutation(6)]
    assert mcc(true, codes) == pytest.approx(1)


def test_silent_latents_are_replaced_by_noise_on_id_but_not_on_ood():
    true = sparse_columns(np.random.default_rng(0), 500, 8)
    true[:, 4:] = 1.0
    assert mcc_ood(true, true) == pytest.approx(1)
    assert mcc_id(true, true) == pytest.approx(0.5)


def test_ood_looks_at_the_columns_of_largest_variance_only():
    rng = np.random.default_rng(0)
    true = sparse_columns(rng, 500, 4)
    loud = 100 * rng.normal(size=(500, 4))
    assert mcc_ood(true, np.hstack([true, loud])) < 0.2
    assert mcc_ood(true, np.hstack([100 * true, loud / 100])) == pytest.approx(1)


@pytest.mark.parametrize("score", [mcc_id, mcc_ood])
def test_where_nothing_varies_or_samples_are_two_it_is_not_defined(score):
    rng = np.random.default_rng(0)
    assert np.isnan(score(np.zeros((10, 3)), np.ones((10, 3))))
    for n_samples in (1, 2):
        assert np.isnan(score(rng.normal(size=(n_samples, 3)), rng.normal(size=(n_samples, 3))))
    assert np.isfinite(score(rng.normal(size=(3, 3)), rng.normal(size=(3, 3))))
