"""The tests behind the verdicts: against SciPy's, and what must hold of any verdict."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sae_surgery.pages.comparison.judgement import (
    AGREES,
    DIFFERS,
    UNDECIDED,
    Sample,
    equivalence,
    paired,
    unpaired,
    verdict_of_test,
)

VALUES = st.lists(st.floats(0, 1).map(lambda value: round(value, 3)), min_size=2, max_size=6)


def sample(values):
    return Sample(np.mean(values), np.std(values), np.array(len(values)))


def verdict(published, ours, margin, alpha=0.05):
    p_values = equivalence(unpaired(sample(published), sample(ours)), margin)
    return str(verdict_of_test(*p_values, alpha))


@pytest.mark.parametrize("margin", [0.05, 0.3])
def test_p_values_are_those_of_welch(margin):
    published, ours = np.array([0.41, 0.47, 0.39]), np.array([0.55, 0.5, 0.53, 0.6])
    closer, farther = equivalence(unpaired(sample(published), sample(ours)), margin)
    either_side = [
        stats.ttest_ind(ours - margin, published, equal_var=False, alternative="less").pvalue,
        stats.ttest_ind(ours + margin, published, equal_var=False, alternative="greater").pvalue,
    ]
    assert closer == pytest.approx(max(either_side))
    tails = [
        stats.ttest_ind(ours - margin, published, equal_var=False, alternative="greater").pvalue,
        stats.ttest_ind(ours + margin, published, equal_var=False, alternative="greater").pvalue,
    ]
    assert farther == pytest.approx(sum(tails))


def test_p_values_of_pairs_are_those_of_the_paired_test():
    published, ours = np.array([0.41, 0.47, 0.39]), np.array([0.55, 0.6, 0.51])
    closer, farther = equivalence(paired(sample(ours - published)), 0.1)
    near, far = (
        stats.ttest_rel(ours + shift, published, alternative="greater").pvalue
        for shift in (-0.1, 0.1)
    )
    assert farther == pytest.approx(near + far)
    assert closer == pytest.approx(1 - near)


def test_without_a_margin_far_apart_is_the_two_sided_test():
    published, ours = np.array([0.41, 0.47, 0.39]), np.array([0.55, 0.5, 0.53, 0.6])
    _, farther = equivalence(unpaired(sample(published), sample(ours)), 0.0)
    assert farther == pytest.approx(stats.ttest_ind(ours, published, equal_var=False).pvalue)


@given(VALUES, VALUES, st.floats(0.01, 0.5))
def test_a_verdict_is_never_against_the_difference(published, ours, margin):
    distance = abs(np.mean(ours) - np.mean(published))
    found = verdict(published, ours, margin)
    assert found in {AGREES, DIFFERS, UNDECIDED}
    if found == AGREES:
        assert distance <= margin
    if found == DIFFERS:
        assert distance > margin


@given(VALUES, VALUES, st.floats(0.01, 0.2), st.floats(0.01, 0.2))
def test_a_wider_margin_only_helps_agreement(published, ours, margin, more):
    order = [DIFFERS, UNDECIDED, AGREES]
    narrow, wide = (verdict(published, ours, width) for width in (margin, margin + more))
    assert order.index(wide) >= order.index(narrow)


@given(VALUES, VALUES, st.floats(0.01, 0.5))
def test_sides_can_be_exchanged(published, ours, margin):
    assert verdict(published, ours, margin) == verdict(ours, published, margin)


def test_seeds_decide():
    near, far = [0.5, 0.56], [0.52, 0.57]
    assert verdict(near, far, 0.1) == UNDECIDED
    assert verdict(near * 20, far * 20, 0.1) == AGREES
    assert verdict(near * 20, [each + 0.3 for each in far * 20], 0.1) == DIFFERS


def test_one_seed_decides_nothing():
    assert verdict([0.5], [0.5, 0.5], 0.1) == UNDECIDED
    assert verdict([0.5, 0.5], [0.9], 0.1) == UNDECIDED


def test_without_spread_the_difference_decides():
    assert verdict([10.0] * 3, [10.0] * 3, 0.1) == AGREES
    assert verdict([10.0] * 3, [10.3] * 3, 0.1) == DIFFERS
