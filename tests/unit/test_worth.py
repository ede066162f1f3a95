"""Codes measured in iterations of FISTA."""

import pytest
import torch

from sae_surgery.inference import worth
from sae_surgery.inference.exact import exact_lasso
from sae_surgery.inference.fista import fista, lasso_objective
from sae_surgery.inference.sparse import SparseCodes
from sae_surgery.inference.worth import iterations_worth

LAM = 0.2


def problem(n_seeds=2, dtype=torch.float64):
    drawn = torch.Generator().manual_seed(0)
    dictionary = torch.randn(n_seeds, 13, 50, generator=drawn, dtype=dtype)
    dictionary /= dictionary.norm(dim=1, keepdim=True)
    return torch.randn(n_seeds, 30, 13, generator=drawn, dtype=dtype), dictionary


@pytest.mark.parametrize("n_iter", [1, 4, 17])
def test_iterates_are_worth_their_number(n_iter):
    observations, dictionary = problem()
    codes = fista(observations, dictionary, LAM, n_iter)
    found = iterations_worth(observations, dictionary, SparseCodes.pack(codes), LAM, 20)
    # Objectives are the same up to rounding, to either side.
    assert found.by_objective in (n_iter, n_iter + 1)
    better = SparseCodes.pack(fista(observations, dictionary, LAM, 500))
    assert iterations_worth(observations, dictionary, better, LAM, 20).by_objective is None


@pytest.mark.parametrize("block", [1, 7, 256])
def test_curves_are_those_of_separate_runs(block, monkeypatch):
    monkeypatch.setattr(worth, "MOST_SAMPLES", block)
    observations, dictionary = problem()
    start = (torch.rand(2, 30, 50, dtype=torch.float64) - 0.7).relu()
    start[0, 3] = 0
    found = iterations_worth(observations, dictionary, SparseCodes.pack(start), LAM, 6)
    for curve, begin in ((found.from_zeros, None), (found.from_codes, start)):
        for n_iter in range(7):
            codes = fista(observations, dictionary, LAM, n_iter, begin)
            objective = lasso_objective(observations, dictionary, codes, LAM).mean()
            error = (observations - codes @ dictionary.mT).square().sum(2).mean()
            torch.testing.assert_close(curve.objective[n_iter], objective)
            torch.testing.assert_close(curve.squared_error[n_iter], error)
            assert curve.n_active[n_iter] == pytest.approx(codes.count_nonzero() / 60)
    torch.testing.assert_close(found.codes.dense(), codes)


def test_codes_of_zeros_are_worth_nothing_and_solved_ones_stay():
    observations, dictionary = problem()
    nothing = SparseCodes.pack(torch.zeros(2, 30, 50))
    assert iterations_worth(observations, dictionary, nothing, LAM, 2).by_objective == 0
    solved = exact_lasso(observations, dictionary, LAM, tolerance=1e-12)
    found = iterations_worth(observations, dictionary, solved, LAM, 5)
    torch.testing.assert_close(found.from_codes.objective, found.from_codes.objective[:1].expand(6))


def test_the_error_is_another_question_than_the_objective():
    observations, dictionary = problem()
    # Twice the values: an objective as of few iterations, but an error that is soon reached.
    codes = SparseCodes.pack(2 * fista(observations, dictionary, LAM, 3))
    found = iterations_worth(observations, dictionary, codes, LAM, 20)
    assert found.by_squared_error != found.by_objective


def test_what_cannot_be_followed_is_refused():
    observations, dictionary = problem()
    codes = SparseCodes.pack(torch.zeros(2, 30, 50))
    with pytest.raises(ValueError, match="lam must be a positive number"):
        iterations_worth(observations, dictionary, codes, 0.0)
    with pytest.raises(ValueError, match="max_iterations must be"):
        iterations_worth(observations, dictionary, codes, LAM, 0)
    with pytest.raises(ValueError, match="codes must be of"):
        iterations_worth(observations[:, :5], dictionary, codes, LAM)
