"""The exact lasso at a wanted number of active atoms."""

import pytest
import torch

from sae_surgery.inference import matched
from sae_surgery.inference.exact import exact_lasso
from sae_surgery.inference.matched import lasso_at_l0


def problem(n_samples=300, obs_dim=24, n_atoms=120, heavy=False):
    drawn = torch.Generator().manual_seed(0)
    dictionary = torch.randn(1, obs_dim, n_atoms, generator=drawn)
    observations = torch.randn(1, n_samples, obs_dim, generator=drawn)
    if heavy:
        observations /= torch.rand(1, n_samples, 1, generator=drawn)
    return observations, dictionary


def mean_l0(solution):
    return float(solution.counts.double().mean())


@pytest.mark.parametrize("non_negative", [True, False], ids=["non-negative", "signed"])
@pytest.mark.parametrize("l0", [0.3, 1, 5.5, 12])
@pytest.mark.parametrize("heavy", [False, True], ids=["gaussian", "heavy tails"])
def test_l0_is_as_wanted_and_codes_are_those_of_the_penalty(l0, non_negative, heavy):
    observations, dictionary = problem(heavy=heavy)
    lam, found = lasso_at_l0(observations, dictionary, l0, non_negative=non_negative)
    assert mean_l0(found) == pytest.approx(l0, rel=0.01, abs=0.5 / 300)
    assert not found.missed.any()
    expected = exact_lasso(observations, dictionary, lam, None, non_negative)
    torch.testing.assert_close(found.dense(), expected.dense(), atol=1e-2 * lam, rtol=1e-2)


def test_the_tolerance_is_kept():
    observations, dictionary = problem()
    _, found = lasso_at_l0(observations, dictionary, 7, l0_tolerance=1e-3)
    assert mean_l0(found) == pytest.approx(7, abs=7e-3)


def test_few_solutions_of_all_samples_are_needed(monkeypatch):
    observations, dictionary = problem(2000)
    sizes, solve = [], matched.exact_lasso

    def counting(observations, *arguments):
        sizes.append(observations.shape[1])
        return solve(observations, *arguments)

    monkeypatch.setattr(matched, "exact_lasso", counting)
    lasso_at_l0(observations, dictionary, 8)
    assert sizes.count(2000) <= 3 and len(sizes) - sizes.count(2000) <= 8


def test_the_search_is_the_same_again_and_in_other_units():
    observations, dictionary = problem()
    lam, found = lasso_at_l0(observations, dictionary, 6)
    again, same = lasso_at_l0(observations, dictionary, 6)
    assert again == lam and torch.equal(same.dense(), found.dense())
    for scale in (2.0**-50, 2.0**50):
        scaled, codes = lasso_at_l0(observations * scale, dictionary, 6)
        assert scaled == pytest.approx(lam * scale) and torch.equal(codes.counts, found.counts)


def test_an_l0_that_codes_cannot_have_is_refused():
    observations, dictionary = problem()
    with pytest.raises(ValueError, match="l0 must be one that codes can have, got 40"):
        lasso_at_l0(observations, dictionary, 40)
    with pytest.raises(ValueError, match="no atom correlates with any observation"):
        lasso_at_l0(observations * 0, dictionary, 4)
    with pytest.raises(ValueError, match="their number jumps"):
        # All samples are the same: so their atoms come and go at the same time.
        lasso_at_l0(observations[:, :1].expand(-1, 300, -1), dictionary, 2.5)
    with pytest.raises(ValueError, match="l0 must be a positive number"):
        lasso_at_l0(observations, dictionary, 0)
