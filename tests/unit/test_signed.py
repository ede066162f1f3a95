"""Where latents may be negative, all that solves the lasso does so over codes of either sign."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sae_surgery import metrics, surgeries
from sae_surgery.files.codes import Codes
from sae_surgery.files.data import CellData
from sae_surgery.files.models import read_fitted
from sae_surgery.inference.solver import LassoSettings, infer, infer_path
from sae_surgery.learning.dictionary_learning import (
    DictionaryLearning,
    learn_dictionary,
    random_dictionary,
)
from sae_surgery.learning.fresh_atoms import LARGEST_COSINE, fresh_atoms
from sae_surgery.learning.incremental import IncrementalLearning, learn_incrementally
from sae_surgery.metrics.base import Seen, Target
from sae_surgery.metrics.measures.dictionary import dictionary_metrics
from sae_surgery.metrics.measures.optimality import largest_relative_gap
from sae_surgery.problems.paper import Cell
from sae_surgery.problems.signed import Signed
from sae_surgery.steps.fit import fit
from sae_surgery.steps.simulate import simulate
from sae_surgery.surgeries.base import Patient
from sae_surgery.tables.scoring import Scored, Scorer, read_decoder

SIZES = {"n_latents": 20, "k": 2, "obs_dim": 14, "n_samples": 800}
SEEDS = (0, 1)
EXACT = LassoSettings(lam=0.05, solver="exact")


def problem():
    """Return observations (2, 12, 9) and unit dictionaries (2, 9, 30)."""
    generator = torch.Generator().manual_seed(0)
    dictionary = torch.randn(2, 9, 30, generator=generator)
    observations = torch.randn(2, 12, 9, generator=generator)
    return observations, dictionary / dictionary.norm(dim=1)[:, None]


def objective(observations, dictionary, codes, lam):
    residual = observations - codes @ dictionary.mT
    return residual.square().sum(2) / 2 + lam * codes.abs().sum(2)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return what fits a method on a problem by its name, and gives data, model and codes."""
    folder = tmp_path_factory.mktemp("signed")

    def fitted(name, problem=Signed, **settings):
        cell = problem(**SIZES)
        data = folder / f"{cell.name}.nc"
        if not data.exists():
            simulate(cell, SEEDS, data)
        model, codes = (folder / f"{cell.name}_{name}_{part}.nc" for part in ("model", "codes"))
        fit(name, data, None, settings, "cpu", 1, model, codes)
        return CellData(data), model, codes

    return fitted


def test_fista_comes_to_the_exact_minimum_over_codes_of_either_sign():
    observations, dictionary = problem()
    many = replace(EXACT, solver="fista", n_iter=5000)
    iterated = infer(observations, dictionary, many, non_negative=False)
    exact = infer(observations, dictionary, EXACT, non_negative=False)
    assert (exact.codes < 0).any() and (exact.codes > 0).any()
    assert (iterated.measure_gap() < 1e-4).all() and (exact.measure_gap() <= 1e-6).all()
    reached, least, bounded = (
        objective(observations, dictionary, codes, 0.05)
        for codes in (iterated.codes, exact.codes, infer(observations, dictionary, EXACT).codes)
    )
    torch.testing.assert_close(reached, least, rtol=1e-4, atol=1e-6)
    assert (bounded > 1.05 * least).any()


@pytest.mark.parametrize("solver", ["fista", "exact"])
def test_paths_are_over_codes_of_either_sign(solver):
    observations, dictionary = problem()
    settings = replace(EXACT, solver=solver, n_iter=5000)
    points = dict(infer_path(observations, dictionary, [0.05, 0.5], settings, non_negative=False))
    alone = infer(observations, dictionary, settings, non_negative=False)
    assert (points[0.05].measure_gap() < 1e-4).all() and (points[0.5].codes < 0).any()
    torch.testing.assert_close(points[0.05].codes, alone.codes, atol=2e-3, rtol=1e-2)


def test_the_gap_that_is_scored_is_that_of_the_solver():
    observations, dictionary = (values.double() for values in problem())
    for n_iter in (5, 5000):
        settings = LassoSettings(lam=0.05, n_iter=n_iter)
        inferred = infer(observations, dictionary, settings, non_negative=False)
        arrays = observations[0].numpy(), dictionary[0].numpy(), inferred.codes[0].numpy()
        scored = largest_relative_gap(*arrays, 0.05, non_negative=False)
        assert scored == pytest.approx(float(inferred.measure_gap()[0].max()), rel=1e-6)
    # Of the other problem, it would not even be a gap.
    assert scored < 1e-6 and abs(largest_relative_gap(*arrays, 0.05)) > 1e-3


def scores(data, model, codes):
    opened = Codes(codes, data)
    scored = Scored(opened, **read_decoder(model, opened, data), lam=opened.lam)
    return Scorer(data, "strict").score([scored])[0]


def test_the_oracle_recovers_signs_and_chance_has_them(files):
    data, model, codes = files("fista_oracle", solver="exact", lam=0.02)
    for seed in range(len(SEEDS)):
        true, found = data.true_codes("ood", seed), Codes(codes, data).dense("ood", seed)
        clear = np.abs(true) > 0.2
        assert (true[clear] < 0).any() and (np.sign(found)[clear] == np.sign(true)[clear]).all()
    oracle = scores(data, model, codes)
    assert (oracle["mcc_ood"] > 0.95).all() and (oracle["auc_ood"] > 0.95).all()
    assert (oracle["largest_gap"] < 1e-5).all()
    data, model, codes = files("random_dictionary", solver="exact")
    assert (Codes(codes, data).dense("val", 0) < 0).any()
    chance = scores(data, model, codes)
    assert (chance["mcc_ood"] < 0.6).all() and (chance["largest_gap"] < 1e-5).all()


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("dl_fista", {"max_rounds": 40, "learns_from": "train", "revive": True, "lam": 0.05}),
        ("dl_scaled", {}),
    ],
)
def test_dictionaries_are_learned_from_codes_of_either_sign(files, name, settings):
    data, model, codes = files(name, **settings)
    assert (Codes(codes, data).dense("val", 0) < 0).any()
    learned = scores(data, model, codes)
    assert (learned["mcc_id"] > 0.8).all()
    # An atom and its opposite are the same latent.
    assert (learned["dictionary_share_wrong_sign"] == 0).all()
    assert (learned["dictionary_share_above_090"] > 0.7).all()


def test_saes_stay_non_negative(files):
    data, _, codes = files("sae_topk", epochs=2)
    found = Codes(codes, data).dense("val", 0)
    assert found.any() and (found >= 0).all()


@pytest.mark.parametrize("name", ["fista_oracle", "random_dictionary", "dl_scaled"])
def test_where_latents_are_not_negative_codes_are_not(files, name):
    data, _, codes = files(name, Cell)
    found = Codes(codes, data).dense("val", 0)
    assert found.any() and (found >= 0).all()


def test_atoms_used_by_negative_codes_alone_are_not_revived():
    observations = -torch.eye(4)[None].repeat(1, 3, 1)
    settings = DictionaryLearning(max_rounds=1, n_iter=20, lam=0.01, revive=True)
    learned = learn_dictionary(observations, torch.eye(4)[None], settings, non_negative=False)
    assert (learned.codes.amin(1) < 0).all() and not (learned.codes > 0).any()
    torch.testing.assert_close(learned.dictionary[0], torch.eye(4), atol=1e-3, rtol=0)


def test_learning_without_signs_misses_what_learning_with_them_finds():
    drawn = Signed(n_latents=40, k=3, obs_dim=24, n_samples=1000).draw(0)
    codes = np.zeros((1500, 40))
    np.put_along_axis(codes, drawn.support, drawn.magnitude, 1)
    observations = torch.from_numpy(codes[:1000] @ drawn.dictionary.T).float()[None]
    initial = random_dictionary(24, 40, (0,))
    found = {}
    for non_negative in (True, False):
        learning = IncrementalLearning(max_rounds=60), (60,)
        *_, (_, result) = learn_incrementally(
            observations, initial, (0,), *learning, non_negative=non_negative
        )
        atoms = result.dictionary[0].double().numpy()
        found[non_negative] = dictionary_metrics(atoms, drawn.dictionary).mean_cosine
    assert found[False] > 0.99 > found[True] + 0.1


def test_fresh_atoms_are_what_samples_share_with_either_sign():
    draws = np.random.default_rng(0)
    atom = torch.eye(1, 30)
    signs = torch.from_numpy(draws.choice([-1.0, 1.0], (100, 1))).float()
    remainders = signs @ atom + 0.02 * torch.from_numpy(draws.normal(size=(100, 30))).float()
    found = fresh_atoms(remainders, 3, non_negative=False)
    assert abs(float(found[0] @ atom[0])) > 0.99
    assert (found @ found.T).fill_diagonal_(0).abs().max() < LARGEST_COSINE
    assert len(fresh_atoms(remainders[:0], 3, non_negative=False)) == 0


SURGERIES = {
    "frozen_decoder": {"solver": "exact"},
    "lambda_sensitivity": {"lams": (0.05, 0.2)},
    "warm_start_encoder": {"counts": (1, 20)},
    "warm_start_decoder": {"counts": (1, 2), "n_iter": 20},
    "support_recovery": {},
}


@pytest.mark.parametrize("problem", [Signed, Cell])
@pytest.mark.parametrize("name", SURGERIES)
def test_surgeries_infer_codes_of_the_signs_that_the_problem_has(files, name, problem):
    data, model_path, codes_path = files("sae_topk", problem, epochs=2)
    _, method, model = read_fitted(model_path, data, torch.device("cpu"))
    codes = Codes(codes_path, data)
    patient = Patient(
        cell=data.cell,
        seeds=SEEDS,
        method=method,
        model=model,
        observations={"val": torch.from_numpy(data.observations("val")).float()},
        codes={"val": torch.stack([torch.from_numpy(codes.dense("val", s)) for s in (0, 1)])},
        truth=torch.from_numpy(data.dictionary()).float(),
    )
    outcomes = list(surgeries.load(name, SURGERIES[name]).operate(patient))
    inferred = [each for each in outcomes if each.condition != "own"]
    assert len(inferred) > 1
    for outcome in inferred:
        assert bool((outcome.codes["val"] < 0).any()) == data.cell.signed, outcome.condition
    refitted = {"lstsq", "lstsq_exact"} | (set() if data.cell.signed else {"nnls"})
    if name == "support_recovery":
        assert {each.condition for each in inferred} == refitted


def test_no_sign_of_an_atom_is_wrong_where_latents_have_either():
    truth = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    codes = {"id": np.eye(4)}
    dictionary = metrics.load("dictionary")
    for signed in (False, True):
        target = Target({"id": truth.T}, codes, truth=truth, signed=signed)
        found = dictionary.score(Seen(target, codes, -truth))
        assert found["dictionary_share_above_090"] == (1.0 if signed else 0.0)
