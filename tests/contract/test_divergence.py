"""Training that diverges: a result of its seed, which no other seed and no other method feels.

One seed of a cell is made to diverge by observations that are far too large, or all are by settings
with which no training can succeed.
"""

import numpy as np
import pytest
import torch
from bench import CELL, SEEDS, brief_settings

from sae_surgery import methods, store
from sae_surgery.codes import Codes
from sae_surgery.data import SCORED, CellData
from sae_surgery.learning import lista, softplus_adam
from sae_surgery.learning.autoencoder import training
from sae_surgery.learning.autoencoder.descent import TorchDescent
from sae_surgery.learning.code_sums import CodeSums
from sae_surgery.operations import Operation
from sae_surgery.steps.assess import assess
from sae_surgery.steps.encode import encode
from sae_surgery.steps.evaluate import evaluate
from sae_surgery.steps.fit import fit
from sae_surgery.steps.operate import operate
from sae_surgery.steps.tabulate import tabulate

LOST = 1
"""The seed that diverges, and its index."""

SOUND = tuple(seed for seed in SEEDS if seed != LOST)

TOO_LARGE = {
    "dl_fista": 1e30,
    "lista_oracle": 1e30,
    "sae_jumprelu": 1e30,
    "sae_mp": 1e30,
    "sae_relu": 1e30,
    "sae_topk": 1e30,
    "softplus_adam": 1e30,
}
"""What the observations of the lost seed are multiplied by."""

HOPELESS = {
    "sae_relu": {"learning_rate": 1e30, "epochs": 50},
    "sae_topk": {"learning_rate": 1e30, "epochs": 50},
    "sae_jumprelu": {"learning_rate": 1e30, "epochs": 50},
    "sae_mp": {"learning_rate": 1e38, "epochs": 50},
    "lista_oracle": {"learning_rate": 1e30, "epochs": 50},
    "softplus_adam": {"learning_rate": 1e35, "highest_rate": 1e38, "max_steps": 500},
}
"""Settings with which all seeds diverge."""


@pytest.fixture
def overflowing(monkeypatch):
    """Return what makes the observations of the lost seed too large, in any set of seeds."""
    observe = CellData.observations

    def enlarge(factor):
        def observations(self, split):
            values = observe(self, split)
            for index, seed in enumerate(self.seeds):
                values[index] *= factor if seed == LOST else 1
            return values

        monkeypatch.setattr(CellData, "observations", observations)

    return enlarge


@pytest.fixture
def tensors(monkeypatch):
    """Train with tensors, as on a GPU, instead of by compiled loops."""
    monkeypatch.setattr(training, "descent_for", lambda observations: TorchDescent)
    monkeypatch.setattr(lista, "_network", lista.TensorNetwork)
    monkeypatch.setattr(softplus_adam, "_problem", softplus_adam.TensorProblem)


def fit_here(bench, tmp_path, name, seeds=SEEDS, settings=None, parent=None):
    files = tmp_path / f"{name}_{seeds}_model.nc", tmp_path / f"{name}_{seeds}_codes.nc"
    settings = brief_settings(name) if settings is None else settings
    fit(name, bench.data(seeds), parent, settings, "cpu", 1, *files)
    return files


def assert_sound_seeds_are_as_alone(bench, together, alone):
    """Hold model and codes of all seeds against those of a fit without the lost one."""
    model, model_alone = (store.read(files[0], "model") for files in (together, alone))
    kept = [SEEDS.index(seed) for seed in SOUND]
    assert set(model.data_vars) - set(model_alone.data_vars) == {"diverged"}
    for parameter in model_alone.data_vars:
        values = model[parameter].values[kept]
        np.testing.assert_array_equal(values, model_alone[parameter].values, parameter)
        assert np.isnan(model[parameter].values[LOST]).all(), parameter
        assert "diverged" in model[parameter].attrs["nan_means"]
    codes = Codes(together[1], CellData(bench.data()))
    codes_alone = Codes(alone[1], CellData(bench.data(SOUND)))
    for split in SCORED:
        assert not codes.dense(split, LOST).any()
        for index, seed in enumerate(kept):
            expected = codes_alone.dense(split, index)
            np.testing.assert_array_equal(codes.dense(split, seed), expected)
    assert [codes.lacks(seed) for seed in range(len(SEEDS))] == [seed == LOST for seed in SEEDS]


@pytest.mark.parametrize("name", TOO_LARGE)
def test_one_seed_diverges_and_the_others_do_not_feel_it(bench, tmp_path, overflowing, name):
    overflowing(TOO_LARGE[name])
    together, alone = (fit_here(bench, tmp_path, name, seeds) for seeds in (SEEDS, SOUND))
    for path, kind in zip(together, ("model", "codes"), strict=True):
        said = store.read(path, kind).attrs["status"]
        assert said.startswith(f"diverged: seed {LOST} at ")
        assert said.count("seed") == 1
        assert store.read(path, kind)["diverged"].values[LOST] == said.split(f"seed {LOST} ")[1]
    assert_sound_seeds_are_as_alone(bench, together, alone)


@pytest.mark.usefixtures("tensors")
@pytest.mark.parametrize("name", ["sae_relu", "sae_mp", "lista_oracle", "softplus_adam"])
def test_so_it_is_with_tensors(bench, tmp_path, overflowing, name):
    overflowing(TOO_LARGE[name])
    together, alone = (fit_here(bench, tmp_path, name, seeds) for seeds in (SEEDS, SOUND))
    assert_sound_seeds_are_as_alone(bench, together, alone)


@pytest.mark.parametrize("name", HOPELESS)
def test_when_all_seeds_have_diverged_training_ends(bench, tmp_path, name, capsys):
    files = fit_here(bench, tmp_path, name, settings=HOPELESS[name])
    model, codes = store.read(files[0], "model"), store.read(files[1], "codes")
    assert set(model.variables) == {"seed", "diverged"}
    assert set(codes.variables) == {"diverged"}
    for seed, when in zip(SEEDS, model["diverged"].values, strict=True):
        assert when.startswith("at ")
        assert int(when.split()[-1]) < 10
        assert f"seed {seed} {when}" in codes.attrs["status"]
    assert model.attrs["status"] == codes.attrs["status"]
    assert model.attrs["status"] in capsys.readouterr().err


def test_dictionary_learning_with_lost_atoms_is_a_result_too(bench, tmp_path, monkeypatch):
    """No setting is known with which it diverges, so that its sums are spoilt here."""
    sweep, count = CodeSums.sweep, 0

    def spoilt(self, rows, relaxation):
        nonlocal count
        sweep(self, rows, relaxation)
        if count == 12:
            rows[0] = torch.nan
        count += 1

    monkeypatch.setattr(CodeSums, "sweep", spoilt)
    model = store.read(fit_here(bench, tmp_path, "dl_scaled")[0], "model")
    assert model.attrs["status"] == "diverged: seed 1 at round 0"
    assert np.isnan(model["dictionary"].values).any((1, 2)).tolist() == [False, True, False]


def test_a_method_that_does_not_look_is_looked_at(bench, tmp_path, monkeypatch):
    cls, fit_as_is = type(methods.load("linear_probe")), methods.load("linear_probe").fit

    def lose(self, problem):
        fitted = fit_as_is(problem)
        fitted.model.tensor("weights")[LOST, 2, 3] = torch.inf
        return fitted

    monkeypatch.setattr(cls, "fit", lose)
    for path, kind in zip(
        fit_here(bench, tmp_path, "linear_probe"), ("model", "codes"), strict=True
    ):
        assert store.read(path, kind).attrs["status"] == "diverged: seed 1 in training"


def test_codes_that_are_not_finite_are_missing(bench, tmp_path, monkeypatch):
    cls, encode_as_is = type(methods.load("pca")), methods.load("pca").encode

    def overflow(self, model, observations, cell):
        codes = encode_as_is(model, observations, cell)
        codes[LOST] *= np.inf
        return codes

    monkeypatch.setattr(cls, "encode", overflow)
    files = fit_here(bench, tmp_path, "pca")
    assert store.read(files[0], "model").attrs["status"] == "ok"
    assert store.read(files[1], "codes").attrs["status"] == "diverged: seed 1 in its codes"
    assert Codes(files[1], CellData(bench.data())).lacks(LOST)


@pytest.fixture
def lost_relu(bench, tmp_path, overflowing, monkeypatch):
    """Return model and codes of an SAE whose seed `LOST` diverged, on data that are as usual."""
    with monkeypatch.context():
        overflowing(1e30)
        files = fit_here(bench, tmp_path, "sae_relu")
    monkeypatch.undo()
    return files


def test_codes_of_the_other_seeds_are_inferred_by_a_model_that_is_there(bench, tmp_path, lost_relu):
    encode(bench.data(), lost_relu[0], "cpu", 1, tmp_path / "again.nc")
    first, again = (
        Codes(path, CellData(bench.data())) for path in (lost_relu[1], tmp_path / "again.nc")
    )
    assert again.status == first.status == "diverged: seed 1 at epoch 0"
    for seed in SEEDS:
        np.testing.assert_array_equal(again.dense("val", seed), first.dense("val", seed))


def evaluated(bench, output, *files):
    models, codes = zip(*files, strict=True)
    evaluate(bench.data(), codes, models, "paper", output)
    return store.read(output, "metrics")


def test_scores_are_missing_for_the_lost_seed_alone(bench, tmp_path, lost_relu, capsys):
    hopeless = fit_here(bench, tmp_path, "sae_topk", settings=HOPELESS["sae_topk"])
    metrics = evaluated(bench, tmp_path / "metrics.nc", lost_relu, bench.fit("pca"), hopeless)
    usual = evaluated(bench, tmp_path / "usual.nc", bench.fit("sae_relu"), bench.fit("pca"))
    assert metrics["status"].values[:2].tolist() == ["diverged: seed 1 at epoch 0", "ok"]
    for name, values in usual.data_vars.items():
        if "seed" in values.dims:
            assert np.isnan(metrics[name].values[[0, 2], [LOST, LOST]]).all()
            assert np.isnan(metrics[name].values[2]).all()
            kept = [0, 0, 1, 1, 1], [0, 2, 0, 1, 2]
            np.testing.assert_array_equal(metrics[name].values[kept], values.values[kept])
    assert "sae_relu: diverged: seed 1 at epoch 0" in capsys.readouterr().err


def test_a_table_says_why_it_has_no_value(bench, tmp_path, lost_relu):
    evaluated(bench, tmp_path / "metrics.nc", lost_relu, bench.fit("pca"))
    sweep = {"experiment": "latents", "run": "test", "protocol": "paper", "over": ["n_latents"]}
    sweep |= {"methods": ["sae_relu", "pca"], "left_out": {}}
    sweep["cells"] = [{"cell": CELL.name, "n_latents": CELL.n_latents}]
    for seeds, said in (
        (SEEDS, f"sae_relu on {CELL.name}: seed 1 at epoch 0"),
        (SOUND, None),
    ):
        tabulate(sweep | {"seeds": list(seeds)}, [tmp_path / "metrics.nc"], tmp_path / "table.nc")
        table = store.read(tmp_path / "table.nc", "table")
        assert table.attrs.get("diverged") == said
        missing = np.isnan(table["mcc_id"].values[:, 0])
        assert missing.tolist() == [[seed == LOST for seed in seeds], [False] * len(seeds)]
        assert "diverged" in table["mcc_id"].attrs["nan_means"]


SURGERIES = {
    "frozen_decoder": {"n_iter": 20},
    "lambda_sensitivity": {"n_iter": 5, "lams": (0.1, 1.0)},
    "learned_dictionary": {},
    "learning_dynamics": {},
    "penalty_sweep": {"penalty_factors": (1.0, 3.0)},
    "support_recovery": {},
    "warm_start_decoder": {"counts": (0, 2), "n_iter": 5},
    "warm_start_encoder": {"counts": (0, 2)},
}


@pytest.mark.parametrize("surgery", SURGERIES)
def test_a_surgery_is_done_on_the_seeds_that_are_sound(bench, tmp_path, lost_relu, surgery):
    donor = bench.fit("dl_scaled")[0] if surgery == "learned_dictionary" else None
    outputs = [tmp_path / f"{which}.nc" for which in ("lost", "usual")]
    for files, output in zip((lost_relu, bench.fit("sae_relu")), outputs, strict=True):
        operate(surgery, bench.data(), *files, SURGERIES[surgery], "cpu", 1, output, donor)
    scores = []
    for path in outputs:
        assess(bench.data(), [path], "paper", path.with_suffix(".metrics.nc"))
        scores.append(store.read(path.with_suffix(".metrics.nc"), "metrics"))
    data = CellData(bench.data())
    lost, usual = (Operation(path, data) for path in outputs)
    assert lost.status == "diverged: seed 1 at epoch 0"
    step = {"lambda_sensitivity": "lam"}.get(surgery)
    places = lost.places(step)
    assert places == usual.places(step)
    for outcome in range(len(places)):
        for seed in range(len(SEEDS)):
            assert lost.lacks(outcome, seed) == (SEEDS[seed] == LOST)
            if SEEDS[seed] != LOST:
                for split in SCORED:
                    codes, expected = (each.dense(split, outcome, seed) for each in (lost, usual))
                    np.testing.assert_array_equal(codes, expected)
    assert scores[0]["status"].values.tolist() == [lost.status]
    for name, values in scores[1].data_vars.items():
        if "seed" in values.dims:
            given = scores[0][name]
            assert np.isnan(given.sel(seed=LOST)).all()
            np.testing.assert_array_equal(given.sel(seed=[*SOUND]), values.sel(seed=[*SOUND]))


def test_a_surgery_on_a_model_that_is_lost_has_no_outcome(bench, tmp_path):
    files = fit_here(bench, tmp_path, "sae_topk", settings=HOPELESS["sae_topk"])
    output = tmp_path / "operation.nc"
    operate("frozen_decoder", bench.data(), *files, {}, "cpu", 1, output)
    operation = store.read(output, "operation")
    assert operation.attrs["status"].startswith("diverged: seed 0 at epoch 0; seed 1 at epoch 0")
    assert not operation.variables
    usual = tmp_path / "usual.nc"
    operate("frozen_decoder", bench.data(), *bench.fit("sae_relu"), {}, "cpu", 1, usual)
    assess(bench.data(), [output, usual], "paper", tmp_path / "metrics.nc")
    metrics = store.read(tmp_path / "metrics.nc", "metrics")
    assert metrics["status"].values.tolist() == [operation.attrs["status"], "ok"]
    assert np.isnan(metrics["mcc_id"].values[0]).all()
    assert np.isfinite(metrics["mcc_id"].values[1]).all()


def test_what_a_surgery_trains_can_diverge_in_one_outcome(bench, tmp_path):
    output = tmp_path / "operation.nc"
    settings = {"penalty_factors": (1.0, 1e45)}
    operate("penalty_sweep", bench.data(), *bench.fit("sae_relu"), settings, "cpu", 1, output)
    assess(bench.data(), [output], "paper", tmp_path / "metrics.nc")
    scores = store.read(tmp_path / "metrics.nc", "metrics")["mcc_id"].values[0, 0]
    operation = Operation(output, CellData(bench.data()))
    lacks = [[operation.lacks(outcome, seed) for seed in range(3)] for outcome in range(2)]
    assert lacks == [[False] * 3, [True] * 3]
    assert operation.status.count("(trained at factor 1e+45)") == 3
    assert np.isfinite(scores[0]).all()
    assert np.isnan(scores[1]).all()


def test_what_starts_from_a_model_loses_the_seeds_that_it_lost(
    bench, tmp_path, overflowing, monkeypatch
):
    overflowing(1e30)
    parent = fit_here(bench, tmp_path, "dl_fista")[0]
    monkeypatch.undo()
    model = store.read(fit_here(bench, tmp_path, "dl_lista", parent=parent)[0], "model")
    assert model.attrs["status"] == "diverged: seed 1 at round 0 of dl_fista"
    usual = store.read(bench.fit("dl_lista")[0], "model")
    for name in usual.data_vars:
        kept = [0, 2]
        np.testing.assert_array_equal(model[name].values[kept], usual[name].values[kept])


def test_a_seed_that_diverged_stays_so_when_a_fit_is_cut_off(
    bench, tmp_path, overflowing, monkeypatch
):
    from test_resuming import run_in_pieces

    from sae_surgery import checkpoints

    monkeypatch.setenv(checkpoints.VARIABLE, str(tmp_path / "scratch"))
    overflowing(1e30)
    settings = {"epochs": 7, "record_every": 2}
    whole = fit_here(bench, tmp_path, "sae_relu", settings=settings)
    pieces = tmp_path / "a.nc", tmp_path / "b.nc"
    given = "sae_relu", bench.data(), None, settings, "cpu", 1
    assert run_in_pieces(fit, monkeypatch, 2, *given, *pieces) >= 2
    for one, other in zip(whole, pieces, strict=True):
        assert one.read_bytes() == other.read_bytes()
