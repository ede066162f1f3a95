"""How often a verdict is wrong: no more than the stated level, checked by simulation."""

from functools import cache

import numpy as np
import pytest

from sae_surgery.pages.comparison.judgement import (
    AGREES,
    DIFFERS,
    Sample,
    equivalence,
    paired,
    unpaired,
    verdict_of_test,
)

ALPHA, TRIALS = 0.05, 10_000
NOISE = 4 * np.sqrt(ALPHA * (1 - ALPHA) / TRIALS)
MARGINS = (0.0, 0.1, 1.0, 10.0)
"""Margins, in standard deviations over seeds."""


def sample(values):
    """Return the statistics over the seeds, the second axis."""
    return Sample(values.mean(1), values.std(1), np.full(len(values), values.shape[1]))


@cache
def verdicts(test, true, margin, ours=3):
    """Return how often each verdict is given where the true difference is `true`.

    Seeds have a standard deviation of 1; three are published.
    """
    rng = np.random.default_rng(0)
    reproduced = rng.normal(true, 1, (TRIALS, ours))
    if test == "paired":
        difference = paired(sample(reproduced))
    else:
        difference = unpaired(sample(rng.normal(0, 1, (TRIALS, 3))), sample(reproduced))
    p_values = equivalence(difference, np.full(TRIALS, margin))
    given, counts = np.unique(verdict_of_test(*p_values, ALPHA), return_counts=True)
    return {AGREES: 0, DIFFERS: 0} | dict(zip(given, counts / TRIALS, strict=True))


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("ours", [3, 6])
@pytest.mark.parametrize("test", ["paired", "Welch"])
def test_what_is_a_margin_apart_is_called_neither_more_often_than_the_level(
    test, ours, side, margin
):
    found = verdicts(test, side * margin, margin, ours)
    assert max(found[AGREES], found[DIFFERS]) <= ALPHA + NOISE


@pytest.mark.parametrize("verdict", [AGREES, DIFFERS])
def test_the_level_is_used_up_where_the_margin_is_wide(verdict):
    assert verdicts("paired", 10, 10)[verdict] == pytest.approx(ALPHA, abs=NOISE)


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("test", ["paired", "Welch"])
def test_what_is_the_same_is_called_different_no_more_often_than_the_level(test, margin):
    assert verdicts(test, 0, margin)[DIFFERS] <= ALPHA + NOISE


def test_what_is_far_apart_is_found():
    assert verdicts("paired", 20, 1)[DIFFERS] > 0.9
    assert verdicts("paired", 0, 20)[AGREES] > 0.9
