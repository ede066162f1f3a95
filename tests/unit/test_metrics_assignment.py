"""Assignment: as good as SciPy's, and proven so by its own prices, on easy and on awkward cases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from sae_surgery.metrics.measures.assignment import LISTED, assign, upper_bound

KINDS = {
    "random": lambda rng, shape: rng.uniform(size=shape),
    "few values": lambda rng, shape: rng.integers(0, 3, shape),
    "mostly zero": lambda rng, shape: rng.uniform(size=shape) * (rng.uniform(size=shape) < 0.2),
    "dead columns": lambda rng, shape: rng.uniform(size=shape) * (np.arange(shape[1]) % 3 > 0),
    "equal columns": lambda rng, shape: np.repeat(rng.uniform(size=(shape[0], 1)), shape[1], 1),
    # All rows want the same columns: lists are of no use.
    "rank one": lambda rng, shape: np.outer(*(rng.uniform(size=length) for length in shape)),
    "on a line": lambda rng, shape: np.abs(np.subtract.outer(*(rng.normal(size=n) for n in shape))),
    "zero": lambda rng, shape: np.zeros(shape),
}


def check_optimal(weights: np.ndarray) -> None:
    weights = np.ascontiguousarray(weights, dtype=np.float64)
    partner, prices = assign(weights)
    rows = np.flatnonzero(partner >= 0)
    assert len(set(partner[rows])) == len(rows)
    total = weights[rows, partner[rows]].sum()
    assert total == pytest.approx(weights[linear_sum_assignment(-weights)].sum(), rel=1e-12)

    assert prices.min() >= 0
    assert upper_bound(weights, prices) == pytest.approx(total, rel=1e-12)


@settings(deadline=None, max_examples=200)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(sorted(KINDS)),
    st.integers(1, 3 * LISTED),
    st.integers(1, 3 * LISTED),
)
def test_optimal_in_any_shape(seed, kind, n_rows, n_columns):
    check_optimal(KINDS[kind](np.random.default_rng(seed), (n_rows, n_columns)))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_optimal_where_lists_are_short_against_rows(kind):
    check_optimal(KINDS[kind](np.random.default_rng(0), (8 * LISTED, 8 * LISTED)))


def test_upper_bound_holds_for_any_prices():
    rng = np.random.default_rng(0)
    weights = rng.uniform(size=(8, 9))
    best = weights[linear_sum_assignment(-weights)].sum()
    for prices in rng.uniform(size=(50, 9)):
        assert upper_bound(weights, prices) >= best
