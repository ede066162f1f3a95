"""Named models in a configuration: what they are, what is refused and with which words."""

from pathlib import Path

import pytest
import yaml

from sae_surgery import methods
from sae_surgery.plan import config
from sae_surgery.plan.costs import Job, cost

BASE = {
    "methods": ["fista_oracle", "sae_relu", "relu_x10"],
    "models": {"relu_x10": {"method": "sae_relu", "penalty": 0.001}},
    "sweeps": {"latents": {"n_latents": [20], "k": [3]}},
}
CELL = "n20_k3_m12_s5000"

BAD = {
    "a method's": ({"pca": {"method": "pca"}}, ["models.pca", "is a method", "sae_relu"]),
    "a surgery's": (
        {"frozen_decoder": {"method": "pca"}},
        ["models.frozen_decoder", "is a surgery", "warm_start_encoder"],
    ),
    "reserved": ({"data": {"method": "pca"}}, ["models.data", "meaning of its own", "codes"]),
    "unsafe": ({"../x": {"method": "pca"}}, ["models", "'../x'", "names that match"]),
    "upper case": ({"Mine": {"method": "pca"}}, ["models", "'Mine'", "names that match"]),
    "long": ({"a" * 61: {"method": "pca"}}, ["models", "60 characters"]),
    "no mapping": ({"mine": "pca"}, ["models.mine", "'pca'", "object"]),
    "no method": ({"mine": {"penalty": 1.0}}, ["models.mine", "'method' is missing"]),
    "unknown method": (
        {"mine": {"method": "sae_rleu"}},
        ["models.mine.method", "mean 'sae_relu'", "pca"],
    ),
    "method a model": (
        {"mine": {"method": "relu_x10"}},
        ["models.mine.method", "'relu_x10' is unknown", "pca"],
    ),
    "unknown setting": (
        {"mine": {"method": "sae_relu", "penlty": 1.0}},
        ["models.mine", "'penlty'", "mean 'penalty'", "epochs"],
    ),
    "setting of the wrong type": (
        {"mine": {"method": "sae_relu", "penalty": "much"}},
        ["models.mine.penalty", "'much'", "float"],
    ),
    "setting out of range": (
        {"mine": {"method": "sae_relu", "penalty": -1.0}},
        ["models.mine", "penalty", "-1.0"],
    ),
    "settings of a method without": (
        {"mine": {"method": "raw", "epochs": 3}},
        ["models.mine", "'epochs'", "it has no settings"],
    ),
    "no parent": (
        {"mine": {"method": "pca", "parent": "raw"}},
        ["models.mine.parent", "pca starts from no other model"],
    ),
    "other parent": (
        {"mine": {"method": "dl_lista", "parent": "relu_x10"}},
        ["models.mine.parent", "'relu_x10'", "allowed are dl_fista"],
    ),
    "title taken": (
        {"mine": {"method": "pca", "title": "SAE (ReLU)"}},
        ["models.mine.title", "'SAE (ReLU)'", "sae_relu"],
    ),
    "same titles": (
        {"mine": {"method": "sae_relu", "penalty": 0.001}},
        ["models.mine.title", "'SAE (ReLU), penalty 0.001'", "relu_x10"],
    ),
}


def load(models=None, **changes):
    """Load the configuration with more models, and with keys changed."""
    return config.load(BASE | {"models": BASE["models"] | (models or {})} | changes)


@pytest.mark.parametrize("fault", BAD)
def test_a_fault_is_refused_and_explained(fault):
    models, expected = BAD[fault]
    with pytest.raises(config.ConfigError) as caught:
        load(models)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{expected[0]}:")
    for part in expected[1:]:
        assert part in problem


def test_settings_beside_a_model_are_refused():
    with pytest.raises(config.ConfigError, match=r"settings\.relu_x10: .*models\.relu_x10"):
        load(settings={"relu_x10": {"epochs": 3}})


def test_where_models_are_broken_their_names_are_not_called_unknown():
    with pytest.raises(config.ConfigError) as caught:
        load(models={"mine": {"method": 3}}, seeds=[])
    assert len(caught.value.problems) == 2


def test_a_model_stands_beside_its_method_and_among_the_patients():
    run = load(surgeries={"cells_of": {"frozen_decoder": "latents"}})
    assert run.methods_on(CELL) == ("fista_oracle", "sae_relu", "relu_x10")
    operated = run.experiments["frozen_decoder"].methods
    assert operated == ("sae_relu", "relu_x10", "fista_oracle", "random_dictionary")
    assert load(methods=None).methods_on(CELL) == (*methods.usual(), "relu_x10")


def test_settings_come_from_the_model_then_its_method_then_the_protocol():
    strict = {"models": {"mine": {"method": "dl_fista", "lam": 0.3}}, "protocol": "strict"}
    run = load(settings={"dl_fista": {"lam": 0.2, "max_rounds": 7}}, **strict)
    own = {"lam": 0.3, "max_rounds": 7}
    assert run.settings_of("mine", "paper") == own
    assert run.settings_of("mine") == methods.trait("dl_fista", "strict") | own
    assert run.settings_of("dl_fista", "paper") == {"lam": 0.2, "max_rounds": 7}


def test_a_model_that_the_strict_protocol_does_not_change_is_shared():
    strict = {"learns_from": "train", "solver": "exact", "revive": True}
    models = {"plain": {"method": "dl_fista", "title": "A"}, "mine": {"method": "dl_fista"}}
    models["mine"] |= strict
    run = load(models, protocol="strict")
    assert run.fits_anew("plain") and not run.fits_anew("mine") and not run.fits_anew("relu_x10")
    # What starts from a model that is fitted anew is, too.
    models |= {"first": {"method": "dl_lista", "learns_from": "train", "lasso_penalty": True}}
    models |= {"second": models["first"] | {"parent": "mine"}}
    run = load(models, protocol="strict")
    assert run.fits_anew("first") and not run.fits_anew("second")


def test_a_model_starts_from_the_parent_that_it_names():
    models = {"short": {"method": "dl_fista", "max_rounds": 3}, "mine": {"method": "dl_lista"}}
    models["other"] = {"method": "dl_lista", "parent": "short"}
    run = load(models)
    assert [run.parent_of(name) for name in ("mine", "other", "short", "dl_lista")] == [
        "dl_fista",
        "short",
        None,
        "dl_fista",
    ]
    titles = [run.models[name].title for name in ("short", "mine", "other")]
    assert titles == ["DL-FISTA, max_rounds 3", "DL-LISTA, mine", "DL-LISTA, from short"]


def test_a_model_costs_what_its_method_does():
    run = load({"mine": {"method": "dl_lista"}})
    for cell in run.cells.values():
        for step, part in (("fit", None), ("operate", "frozen_decoder")):
            mine, plain = (Job(step, cell, part or name, name) for name in ("mine", "dl_lista"))
            assert cost(mine, run) == cost(plain, run)


def test_a_table_says_what_a_model_is_and_one_without_models_does_not():
    run = load()
    assert "models" not in load(methods=["pca"]).sweep("latents")
    described = run.sweep("latents")["models"]
    assert described == {
        "relu_x10": {
            "method": "sae_relu",
            "title": "SAE (ReLU), penalty 0.001",
            "family": "sae",
            "settings": {"penalty": 0.001},
        }
    }


def test_files_that_settings_name_are_found_folders_file_by_file(tmp_path, monkeypatch):
    (tmp_path / "sae" / "deep").mkdir(parents=True)
    inner = [tmp_path / "sae" / "a.bin", tmp_path / "sae" / "deep" / "b.json"]
    for path in inner:
        path.write_text("x", encoding="utf-8")
    alone, trait = tmp_path / "c.bin", methods.trait
    reads = {"reads": ("path", "others")}
    monkeypatch.setattr(
        methods, "trait", lambda name, which: reads.get(which) or trait(name, which)
    )
    settings = {"path": str(tmp_path / "sae"), "others": [str(alone), str(inner[0])], "k": 3}
    assert methods.files_of("pca", settings) == (*inner, alone)
    assert methods.files_of("pca", {"path": ""}) == ()


@pytest.mark.parametrize("name", ["penalties", "wider_kernels", "longer_training"])
def test_configurations_that_come_with_the_project_have_models_in_one_table(name):
    given = [
        yaml.safe_load((config.FOLDER / f"{each}.yaml").read_bytes()) for each in ("quick", name)
    ]
    sweeps = {"sweeps": given[0]["sweeps"] | given[1]["sweeps"]}
    run = config.load(given[0] | given[1] | sweeps)
    (experiment,) = run.experiments.values()
    assert set(run.models) < set(experiment.methods)
    assert len(run.models) >= 4


def test_a_file_that_is_not_there_is_named_unless_nothing_is_computed(tmp_path, monkeypatch):
    # As if the kind of solver were a path.
    trait = methods.trait
    reads = {"reads": ("solver",)}
    monkeypatch.setattr(
        methods, "trait", lambda name, which: reads.get(which) or trait(name, which)
    )
    monkeypatch.chdir(tmp_path)
    models = {"mine": {"method": "fista_oracle", "solver": "exact"}}
    with pytest.raises(config.ConfigError, match=r"models\.mine\.solver: exact: there is no such"):
        load(models)
    with pytest.raises(
        config.ConfigError, match=r"settings\.fista_oracle\.solver: exact: there is no such"
    ):
        load(settings={"fista_oracle": {"solver": "exact"}})
    assert "mine" in load(models, redraw=True).models
    (tmp_path / "exact").write_text("x", encoding="utf-8")
    assert load(models).files_of("mine") == (Path("exact"),)
