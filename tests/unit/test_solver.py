"""The choice of a solver, and what is told of its codes."""

import pytest
import torch

from sae_surgery.errors import SurgeryError
from sae_surgery.inference import solver
from sae_surgery.inference.exact import LassoSolution, exact_lasso
from sae_surgery.inference.fista import fista
from sae_surgery.inference.solver import LassoSettings, gap_diagnostics, infer, infer_path
from sae_surgery.parts import make_settings


def problem():
    generator = torch.Generator().manual_seed(0)
    dictionary = torch.randn(2, 9, 30, generator=generator)
    return torch.randn(2, 12, 9, generator=generator), dictionary / dictionary.norm(dim=1)[:, None]


def test_each_solver_gives_its_own_codes():
    observations, dictionary = problem()
    settings = LassoSettings(lam=0.2, n_iter=7)
    codes = infer(observations, dictionary, settings).codes
    assert torch.equal(codes, fista(observations, dictionary, 0.2, 7))
    settings = LassoSettings(lam=0.2, solver="exact")
    codes = infer(observations, dictionary, settings, codes).codes
    assert codes.dtype == torch.float32
    torch.testing.assert_close(codes, exact_lasso(observations, dictionary, 0.2).dense().float())


def test_gaps_tell_solved_samples_from_others():
    observations, dictionary = problem()
    few = infer(observations, dictionary, LassoSettings(n_iter=3))
    exact = infer(observations, dictionary, LassoSettings(solver="exact"))
    assert (few.measure_gap() > 1e-3).all() and (exact.measure_gap() <= 1e-6).all()
    diagnostics = gap_diagnostics({"val": few, "ood": exact}, 1e-6)
    assert diagnostics["share_missed"].tolist() == [0.5, 0.5]
    assert torch.equal(diagnostics["largest_gap"], few.measure_gap().amax(1))


@pytest.mark.parametrize("name", solver.SOLVERS)
def test_a_path_ends_where_its_last_weight_leads(name):
    observations, dictionary = problem()
    settings = LassoSettings(solver=name, n_iter=2000)
    points = dict(infer_path(observations, dictionary, [0.1, 1.0, 0.3], settings))
    assert list(points) == [1.0, 0.3, 0.1]
    alone = infer(observations, dictionary, settings)
    torch.testing.assert_close(points[0.1].codes, alone.codes, atol=1e-3, rtol=1e-3)


def test_missed_samples_are_told(capsys, monkeypatch):
    def stop_early(*args, **kwargs) -> LassoSolution:
        return exact_lasso(*args, **kwargs, max_rounds=1)

    observations, dictionary = problem()
    settings = LassoSettings(solver="exact")
    infer(observations, dictionary, settings)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(solver, "exact_lasso", stop_early)
    infer(observations, dictionary, settings)
    assert "24 of 24 samples miss the relative duality gap of 1e-06" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"solver": "lars"}, "solver must be one of fista, exact, got 'lars'"),
        ({"tolerance": 0.0}, "tolerance must be a positive number"),
        ({"lam": -0.1}, "lam must be a number of at least 0"),
        ({"lam": 0.0, "solver": "exact"}, "lam must be a positive number"),
        ({"n_iter": -1}, "n_iter must be an integer of at least 0"),
    ],
)
def test_bad_settings_are_refused(given, message):
    with pytest.raises(SurgeryError, match=message):
        make_settings("settings.fista_oracle", LassoSettings, given)
