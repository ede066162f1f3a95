"""The configuration: what is refused and with which words, and what a valid one expands to."""

import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sae_surgery import methods, surgeries
from sae_surgery.files import store
from sae_surgery.plan import config, costs, memory
from sae_surgery.plan.costs import Job

ROOT = Path(__file__).parents[2]
KEPT = ["reference.yaml", "strict.yaml", "scaling.yaml", "targets.yaml"]
ALWAYS = {name for name in surgeries.available() if not surgeries.trait(name, "on_request")}
"""Surgeries that are done where a configuration names none."""
GOOD = {
    "run": "tiny",
    "methods": ["fista_oracle", "pca"],
    "sweeps": {"latents": {"over": ["n_latents"], "n_latents": [20, 40], "k": [3]}},
}


def read(name):
    return yaml.safe_load((ROOT / "config" / name).read_bytes())


def merged(base, extra):
    """Lay one configuration over another, as Snakemake does: lists replaced, keys added."""
    result = copy.deepcopy(base)
    for key, value in extra.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def sweep(**keys):
    return {"sweeps": {"latents": keys}}


BAD = {
    "unknown key": ({"sedes": [0]}, ["'sedes'", "seeds"]),
    "two unknown keys": ({"foo": 1, "bar": 2}, ["'foo'", "'bar'", "protocol"]),
    "seeds not a list": ({"seeds": 3}, ["seeds", "3", "array"]),
    "seeds empty": ({"seeds": []}, ["seeds", "[]", "at least one"]),
    "seeds twice": ({"seeds": [0, 1, 1]}, ["seeds", "[0, 1, 1]", "1 more than once"]),
    "seed negative": ({"seeds": [-1]}, ["seeds.0", "-1", "from 0"]),
    "seed too large": ({"seeds": [2**32]}, ["seeds.0", str(2**32), str(2**32 - 1)]),
    "seed a float": ({"seeds": [1.0]}, ["seeds.0", "1.0", "integer"]),
    "seed a text": ({"seeds": ["one"]}, ["seeds.0", "'one'", "integer"]),
    "seed a boolean": ({"seeds": [True]}, ["seeds.0", "True", "integer"]),
    "methods a text": ({"methods": "pca"}, ["methods", "'pca'", "array"]),
    "methods empty": ({"methods": []}, ["methods", "[]", "at least one"]),
    "methods twice": ({"methods": ["pca", "pca"]}, ["methods", "'pca' more than once"]),
    "method misspelt": ({"methods": ["fista_orakel"]}, ["methods", "mean 'fista_oracle'", "pca"]),
    "method a number": ({"methods": [3]}, ["methods.0", "3", "string"]),
    "method not a module of it": ({"methods": ["base"]}, ["methods", "'base'", "allowed are"]),
    "device unknown": ({"device": "gpu"}, ["device", "'gpu'", "auto, cpu, cuda"]),
    "protocol unknown": ({"protocol": "loose"}, ["protocol", "'loose'", "paper"]),
    "protocol a list": ({"protocol": ["paper"]}, ["protocol", "['paper']", "string"]),
    "run leaves the folder": ({"run": "../x"}, ["run", "'../x'", "names that match"]),
    "run empty": ({"run": ""}, ["run", "''", "names that match"]),
    "run a number": ({"run": 7}, ["run", "7", "string"]),
    "experiments empty": ({"experiments": []}, ["experiments", "at least one"]),
    "experiment unknown": ({"experiments": ["latent"]}, ["'latent'", "mean 'latents'"]),
    "surgeries a list": ({"surgeries": ["frozen_decoder"]}, ["surgeries", "object"]),
    "surgeries' key": ({"surgeries": {"on": "latents"}}, ["surgeries", "'on'", "cells_of"]),
    "surgeries on no sweep": (
        {"surgeries": {"cells_of": "latent"}},
        ["surgeries.cells_of", "'latent'", "mean 'latents'"],
    ),
    "one surgery on no sweep": (
        {"surgeries": {"cells_of": {"frozen_decoder": "latent"}}},
        ["surgeries.cells_of", "'latent'", "mean 'latents'"],
    ),
    "cells of no surgery": (
        {"surgeries": {"cells_of": {"frozen_decode": "latents"}}},
        ["surgeries.cells_of", "'frozen_decode'", "mean 'frozen_decoder'"],
    ),
    "cells_of a list": (
        {"surgeries": {"cells_of": ["latents"]}},
        ["surgeries.cells_of", "['latents']", "string or object or null"],
    ),
    "cells of a surgery a list": (
        {"surgeries": {"cells_of": {"frozen_decoder": [20]}}},
        ["surgeries.cells_of.frozen_decoder", "[20]", "string"],
    ),
    "surgery that has no cells": (
        {
            "surgeries": {"cells_of": {"frozen_decoder": "latents"}},
            "experiments": ["support_recovery"],
        },
        ["experiments", "'support_recovery'", "latents, frozen_decoder"],
    ),
    "patient unknown": (
        {"surgeries": {"patients": ["sae_rleu"]}},
        ["surgeries.patients", "'sae_rleu'", "mean 'sae_relu'"],
    ),
    "patients empty": ({"surgeries": {"patients": []}}, ["surgeries.patients", "at least one"]),
    "surgery's setting": (
        {"settings": {"frozen_decoder": {"lamda": 1}}},
        ["settings.frozen_decoder", "'lamda'", "lam, n_iter"],
    ),
    "surgery's setting out of range": (
        {"settings": {"lambda_sensitivity": {"lams": [2.0, 1.0]}}},
        ["settings.lambda_sensitivity", "increasing"],
    ),
    "samples counted twice": (
        sweep(n_samples=[100], samples_per_latent=[10]),
        ["sweeps.latents", "only one of n_samples, samples_per_latent"],
    ),
    "no samples per latent swept": (
        sweep(over=["n_latents", "samples_per_latent"]),
        ["sweeps.latents.over", "'samples_per_latent' has no values", "n_samples"],
    ),
    "samples swept that are counted per latent": (
        sweep(over=["n_latents", "n_samples"], samples_per_latent=[10]),
        ["sweeps.latents.over", "'n_samples' has no values", "samples_per_latent"],
    ),
    "sweeps a list": ({"sweeps": [1]}, ["sweeps", "[1]", "object"]),
    "sweep not a mapping": ({"sweeps": {"latents": [20]}}, ["sweeps.latents", "[20]", "object"]),
    "sweep's name": ({"sweeps": {"La tents": {}}}, ["sweeps", "'La tents'", "names that match"]),
    "sweep's key": (sweep(n_latent=[20]), ["sweeps.latents", "'n_latent'", "n_latents"]),
    "size not a list": (sweep(k=3), ["sweeps.latents.k", "3", "array"]),
    "sizes empty": (sweep(n_latents=[]), ["sweeps.latents.n_latents", "at least one"]),
    "size twice": (sweep(n_latents=[20, 20]), ["sweeps.latents.n_latents", "20 more than once"]),
    "size zero": (sweep(k=[0]), ["sweeps.latents.k.0", "0", "from 1"]),
    "size a float": (sweep(k=[2.5]), ["sweeps.latents.k.0", "2.5", "integer"]),
    "too few samples": (sweep(n_samples=[2]), ["sweeps.latents.n_samples.0", "2", "from 4"]),
    "factor zero": (sweep(obs_dim_factor=[0]), ["sweeps.latents.obs_dim_factor.0", "above 0"]),
    "factor a text": (sweep(obs_dim_factor=["2"]), ["obs_dim_factor.0", "'2'", "number"]),
    "factor infinite": (sweep(obs_dim_factor=[float("inf")]), ["sweeps.latents", "inf"]),
    "clip a text": (sweep(clip_obs_dim="yes"), ["sweeps.latents.clip_obs_dim", "'yes'", "boolean"]),
    "over empty": (sweep(over=[]), ["sweeps.latents.over", "at least one"]),
    "over unknown": (sweep(over=["lambda"]), ["sweeps.latents.over.0", "'lambda'", "n_samples"]),
    "not swept": (sweep(k=[2, 3]), ["sweeps.latents.k", "[2, 3]", "sweeps.latents.over"]),
    "m above n": (
        sweep(k=[8], obs_dim_factor=[3.0]),
        ["sweeps.latents", "n_latents=20, k=8", "obs_dim", "20"],
    ),
    "k too large to split": (
        sweep(n_latents=[40], k=[30], obs_dim_factor=[0.1]),
        ["sweeps.latents", "k=30", "k must be at most"],
    ),
    "sweep's method": (sweep(methods=["pcs"]), ["sweeps.latents.methods", "mean 'pca'"]),
    "no method left": (sweep(methods=["raw"]), ["sweeps.latents.methods", "['raw']", "pca"]),
    "left out method": (
        sweep(leave_out={"pcs": {"n_latents": [20]}}),
        ["sweeps.latents.leave_out", "'pcs'", "mean 'pca'"],
    ),
    "left out by no variable": (
        sweep(leave_out={"pca": {"latents": [20]}}),
        ["sweeps.latents.leave_out.pca", "'latents'", "n_latents, k"],
    ),
    "left out nowhere": (sweep(leave_out={"pca": {}}), ["leave_out.pca", "at least one"]),
    "left out where nothing is": (
        sweep(leave_out={"pca": {"n_latents": [40, 80]}}),
        ["sweeps.latents.leave_out.pca.n_latents", "80", "[20, 40]"],
    ),
    "left out by what is not swept": (
        sweep(leave_out={"pca": {"k": [3]}}),
        ["sweeps.latents.leave_out.pca.k", "3", "k is not swept"],
    ),
    "all left out": (
        sweep(leave_out={"pca": {"n_latents": [20]}, "fista_oracle": {"n_latents": [20, 40]}}),
        ["latents", "leave out all of fista_oracle, pca on n20_k3_m12_s5000"],
    ),
    "redraw a text": ({"redraw": "yes"}, ["redraw", "'yes'", "boolean"]),
    "settings a list": ({"settings": [1]}, ["settings", "[1]", "object"]),
    "settings of nothing": ({"settings": {"pac": {}}}, ["settings", "'pac'", "mean 'pca'"]),
    "settings not a mapping": ({"settings": {"pca": 3}}, ["settings.pca", "3", "object"]),
    "setting unknown": ({"settings": {"pca": {"x": 1}}}, ["settings.pca", "'x'", "allowed are"]),
    "setting's type": (
        {"settings": {"fista_oracle": {"lam": "much"}}},
        ["settings.fista_oracle.lam", "'much'", "float"],
    ),
    "setting out of range": (
        {"settings": {"fista_oracle": {"n_iter": -1}}},
        ["settings.fista_oracle", "n_iter", "-1"],
    ),
}


@pytest.mark.parametrize(("change", "words"), BAD.values(), ids=BAD.keys())
def test_a_bad_configuration_is_refused_in_words(change, words):
    with pytest.raises(config.ConfigError) as caught:
        config.load(merged(GOOD, change))
    assert len(caught.value.problems) >= 1
    for word in words:
        assert word in str(caught.value)


def test_seeds_from_the_command_line_are_numbers():
    assert config.load(merged(GOOD, {"seeds": ["0", "7"]})).seeds == (0, 7)


@pytest.mark.parametrize("text", ["true", "false"])
def test_redraw_from_the_command_line_is_a_truth_value(text):
    assert config.load(merged(GOOD, {"redraw": text})).redraw is (text == "true")


def test_sweeps_are_needed():
    for bad in ({}, {"sweeps": {}}):
        with pytest.raises(config.ConfigError, match="sweeps"):
            config.load(bad)


def test_all_problems_are_listed_at_once():
    bad = merged(GOOD, {"device": "gpu", "seeds": [], "run": ""})
    with pytest.raises(config.ConfigError) as caught:
        config.load(bad)
    assert len(caught.value.problems) == 3


def test_each_infeasible_cell_is_listed():
    bad = merged(
        GOOD, sweep(over=["n_latents", "k"], k=[3, 8, 9], n_latents=[20], obs_dim_factor=[3.0])
    )
    with pytest.raises(config.ConfigError) as caught:
        config.load(bad)
    assert [problem.count("infeasible") for problem in caught.value.problems] == [1, 1]


def test_samples_can_be_counted_per_latent():
    keys = {"over": ["n_latents", "samples_per_latent"], "n_latents": [20, 40]}
    out = {"pca": {"n_latents": [40], "samples_per_latent": [10]}}
    run = config.load(merged(GOOD, sweep(**keys, samples_per_latent=[2.5, 10], leave_out=out)))
    points = run.experiments["latents"].points
    assert [(cell.n_latents, cell.n_train) for cell, _ in points] == [
        (20, 50), (20, 200), (40, 100), (40, 400)
    ]  # fmt: skip
    assert points[0][1] == {"n_latents": 20, "samples_per_latent": 2.5}
    assert run.experiments["latents"].left_out["pca"] == ("n40_k3_m16_s800",)


STRICT = {"protocol": "strict", "surgeries": {"cells_of": "latents"}}


def test_the_strict_protocol_has_chance_and_the_audit_everywhere():
    run = config.load(merged(GOOD, STRICT))
    assert config.load(GOOD).methods_on("n20_k3_m12_s5000") == ("fista_oracle", "pca")
    expected = ("fista_oracle", "pca", "random_dictionary")
    assert run.methods_on("n20_k3_m12_s5000") == expected
    assert run.experiments["audit"].methods == expected
    assert run.experiments["audit"].cells == run.experiments["latents"].cells
    assert "random_dictionary" in run.experiments["frozen_decoder"].methods
    assert "audit" not in config.load(merged(GOOD, STRICT | {"protocol": "paper"})).experiments


def test_a_protocol_s_settings_come_after_those_given():
    given = {"settings": {"dl_fista": {"solver": "fista", "lam": 0.2}}}
    run = config.load(merged(GOOD, STRICT | given))
    expected = {"learns_from": "train", "revive": True, "solver": "fista", "lam": 0.2}
    assert run.settings_of("dl_fista") == expected
    assert run.settings_of("dl_fista", "paper") == given["settings"]["dl_fista"]
    assert run.settings_of("frozen_decoder") == {"solver": "exact"}


def test_methods_are_fitted_anew_where_the_protocol_differs_only():
    strict, paper = config.load(merged(GOOD, STRICT)), config.load(GOOD)
    anew = {name for name in methods.available() if strict.fits_anew(name)}
    assert {"dl_fista", "fista_oracle", "pca"} <= anew
    assert not {"sae_relu", "sae_topk", "linear_probe", "raw"} & anew
    assert not any(paper.fits_anew(name) for name in methods.available())


def test_columns_can_have_unequal_norms():
    assert set(config.load(merged(GOOD, sweep(norm_ratio=4))).cells) == {
        f"{name}_r4" for name in config.load(GOOD).cells
    }


def test_the_default_has_four_cells_and_all_methods():
    run = config.load(read("quick.yaml"))
    assert set(run.cells) == {
        "n50_k10_m33_s5000",
        "n100_k10_m47_s5000",
        "n100_k10_m47_s1000",
        "n100_k5_m30_s5000",
    }
    sweeps = {"latents", "samples", "sparsity"}
    assert run.experiments.keys() == sweeps | ALWAYS
    assert all(run.methods_on(cell) == methods.usual() for cell in run.cells)


def test_the_paper_laid_over_the_default_is_the_paper():
    over_default = config.load(merged(read("quick.yaml"), read("paper.yaml")))
    assert over_default == config.load(read("paper.yaml"))


@pytest.mark.parametrize("name", KEPT)
def test_a_reference_laid_over_the_default_is_the_reference(name):
    over_default = config.load(merged(read("quick.yaml"), read(name)))
    assert over_default == config.load(read(name))
    assert over_default.redraw


@pytest.mark.parametrize("name", KEPT)
def test_kept_tables_are_of_their_configuration(name):
    run = config.load(read(name))
    tables = (ROOT / "results" / run.name / run.protocol / "tables").glob("*.nc")
    kept = {path.stem: store.read(path, "table") for path in tables}
    assert kept.keys() == run.experiments.keys()
    for experiment, table in kept.items():
        # Tables of before there were other problems do not say how large their cells are.
        described = {key: value for key, value in run.sweep(experiment).items() if key != "sizes"}
        assert json.loads(table.attrs["settings"]) == described


def test_scaling_laid_over_the_default_is_scaling():
    over_default = config.load(merged(read("quick.yaml"), read("scaling.yaml")))
    assert over_default == config.load(read("scaling.yaml"))
    assert over_default.redraw


def test_the_paper_has_the_published_cells():
    run = config.load(read("paper.yaml"))
    sizes = {name: len(each.points) for name, each in run.experiments.items()}
    assert {sizes.pop(name) for name in ALWAYS} == {6}
    assert sizes == {
        "latents": 6,
        "sparsity": 6,
        "samples": 7,
        "samples_large": 5,
        "phase_transition": 77,
        "large_latents": 5,
    }
    shared = "n1000_k10_m93_s5000"
    assert shared in run.experiments["latents"].cells
    assert shared in run.experiments["sparsity"].cells


def test_clipping_keeps_the_first_of_equal_cells():
    keys = {"over": ["obs_dim_factor"], "n_latents": [20], "obs_dim_factor": [3.0, 9.0, 12.0]}
    run = config.load(merged(GOOD, sweep(**keys, clip_obs_dim=True)))
    places = [(cell.obs_dim, place) for cell, place in run.experiments["latents"].points]
    assert places == [(18, {"obs_dim_factor": 3.0}), (20, {"obs_dim_factor": 9.0})]


def test_a_sweep_takes_its_methods_in_the_order_of_the_list_above_it():
    chosen = {"methods": ["raw", "pca", "fista_oracle"]} | sweep(methods=["fista_oracle", "raw"])
    run = config.load(merged(GOOD, chosen))
    assert run.experiments["latents"].methods == ("raw", "fista_oracle")


def test_a_shared_cell_gets_the_methods_of_all_its_sweeps():
    other = {"n_latents": [20], "k": [3], "methods": ["raw"]}
    both = merged(GOOD, {"methods": None, "sweeps": {"latents": {"methods": ["pca"]}, "b": other}})
    run = config.load(both)
    assert run.methods_on("n20_k3_m12_s5000") == ("pca", "raw")
    assert run.methods_on("n40_k3_m16_s5000") == ("pca",)


def test_a_sweep_is_described_by_built_in_types():
    run = config.load(GOOD)
    assert json.loads(json.dumps(run.sweep("latents"))) == {
        "experiment": "latents",
        "run": "tiny",
        "protocol": "paper",
        "over": ["n_latents"],
        "methods": ["fista_oracle", "pca"],
        "seeds": [0, 1, 2],
        "cells": [
            {"cell": "n20_k3_m12_s5000", "n_latents": 20},
            {"cell": "n40_k3_m16_s5000", "n_latents": 40},
        ],
        "sizes": {
            "n20_k3_m12_s5000": {"obs_dim": 12, "k": 3},
            "n40_k3_m16_s5000": {"obs_dim": 16, "k": 3},
        },
        "left_out": {},
    }


def keys_of(schema):
    """Yield the schema of every key, sweeps' keys included."""
    for key, below in schema.get("properties", {}).items():
        yield key, below
        if isinstance(below.get("additionalProperties"), dict):
            yield from keys_of(below["additionalProperties"])


def test_every_key_has_a_description_a_default_and_its_line_in_the_readme():
    lines = (ROOT / "config" / "README.md").read_text(encoding="utf-8").splitlines()
    for key, below in keys_of(yaml.safe_load(config.SCHEMA_FILE.read_bytes())):
        assert below["description"].endswith(".")
        start = f"| `{key}` | `{json.dumps(below['default'])}` | "
        assert any(line.startswith(start) for line in lines), start


def test_the_readme_examples_are_valid():
    text = (ROOT / "config" / "README.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    runs = [config.load(merged(read("quick.yaml"), yaml.safe_load(each))) for each in examples]
    assert [(run.name, len(run.cells)) for run in runs] == [("quick", 4), ("mine", 4)]
    titles = [model.title for model in runs[0].models.values()]
    assert titles == ["SAE (ReLU), penalty 0.001", "SAE (ReLU), γ × 100"]


def test_reading_a_configuration_imports_nothing_heavy():
    code = (
        "import sys, yaml; from sae_surgery import figures; "
        "from sae_surgery.plan import config, costs;"
        f"run = config.load(yaml.safe_load(open({str(ROOT / 'config/paper.yaml')!r})));"
        "[costs.cost(costs.Job('fit', run.cells[c], m, m), run) for c in run.cells"
        " for m in run.methods_on(c)];"
        "[figures.inputs(name) for name in figures.available()];"
        "print(*{'torch', 'numpy', 'pandas', 'xarray', 'matplotlib'} & sys.modules.keys())"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, encoding="utf-8"
    )
    assert shown.stdout.strip() == ""


def fit_cost(cell, method, run):
    return costs.cost(Job("fit", cell, method, method), run)


def test_gpus_are_asked_for_only_where_they_pay():
    run = config.load(read("paper.yaml"))
    small, large = run.cells["n50_k10_m33_s5000"], run.cells["n10000_k10_m139_s5000"]
    pays_from = methods.trait("dl_fista", "gpu_from")
    assert small.n_latents < pays_from <= large.n_latents
    fits = [fit_cost(cell, "dl_fista", run) for cell in (small, large)]
    assert [(each.gpu, each.device) for each in fits] == [(0, "cpu"), (1, "auto")]
    assert methods.trait("raw", "gpu_from") is None
    assert fit_cost(large, "raw", run).gpu == 0
    on_cpu = config.load(read("paper.yaml") | {"device": "cpu"})
    assert fit_cost(large, "dl_fista", on_cpu).gpu == 0


def test_costs_grow_with_the_cell_and_small_cells_leave_a_core_free():
    run = config.load(read("paper.yaml") | {"device": "cpu"})
    small, large = run.cells["n100_k10_m47_s5000"], run.cells["n1000_k10_m93_s5000"]
    for step, method in (("simulate", None), ("evaluate", None), ("fit", "dl_fista")):
        less, more = (costs.cost(Job(step, each, method, method), run) for each in (small, large))
        assert less.threads == 1
        assert less.mem_mb < more.mem_mb
        assert less.runtime <= more.runtime


def test_a_method_that_cannot_run_on_a_cell_asks_for_little():
    run = config.load(read("paper.yaml"))
    cell = run.cells["n1000000_k10_m231_s1000"]
    assert cell.n_latents > methods.trait("dl_fista", "max_latents")
    skipped = fit_cost(cell, "dl_fista", run)
    assert (skipped.gpu, skipped.threads, skipped.mem_mb) == (0, 1, memory.BASE_MB)


def test_surgeries_operate_on_the_saes_of_their_sweep_and_on_references():
    run = config.load(read("quick.yaml") | {"methods": ["sae_topk", "pca", "sae_mp"]})
    saes = ("sae_topk", "sae_mp")
    assert run.surgeries.keys() == ALWAYS
    assert run.surgeries["frozen_decoder"].methods == (*saes, *config.REFERENCES)
    assert run.surgeries["learning_dynamics"].methods == (*saes, "dl_fista")
    assert run.surgeries["frozen_decoder"].cells == run.experiments["latents"].cells


def test_a_surgery_on_request_is_done_where_it_is_named_and_has_its_donor_fitted():
    chosen = {"methods": ["sae_topk"], "surgeries": {"cells_of": {"learned_dictionary": "latents"}}}
    run = config.load(read("quick.yaml") | chosen)
    assert run.surgeries.keys() == {"learned_dictionary"}
    donor = surgeries.trait("learned_dictionary", "donor")
    cells = run.surgeries["learned_dictionary"].cells
    assert all(donor in run.fitted_on(cell) for cell in cells)


def test_patients_can_be_named():
    chosen = {"surgeries": {"cells_of": "latents", "patients": ["dl_fista"]}}
    run = config.load(read("quick.yaml") | chosen)
    assert run.surgeries["support_recovery"].methods == ("dl_fista", *config.REFERENCES)


def test_without_cells_there_is_no_surgery():
    run = config.load(read("quick.yaml") | {"surgeries": {}})
    assert run.surgeries == {}


def test_surgeries_have_cells_of_their_own_whose_models_are_fitted():
    small = {"over": ["n_latents"], "n_latents": [20], "k": [3]}
    chosen = {
        "methods": ["sae_topk", "fista_oracle"],
        "sweeps": {"small": small},
        "surgeries": {"cells_of": {"frozen_decoder": "latents", "warm_start_decoder": "small"}},
    }
    run = config.load(merged(read("quick.yaml"), chosen))
    cells = {name: each.cells for name, each in run.surgeries.items()}
    only = ("n20_k3_m12_s5000",)
    latents = run.experiments["latents"].cells
    assert cells == {"frozen_decoder": latents, "warm_start_decoder": only}
    run = config.load(merged(read("quick.yaml"), {**chosen, "experiments": ["warm_start_decoder"]}))
    assert tuple(run.cells) == only
    assert run.methods_on(*only) == ()
    assert set(run.fitted_on(*only)) == {"sae_topk", *config.REFERENCES}


def test_a_method_is_left_out_where_the_configuration_says_and_by_surgeries_too():
    large, small = "n40_k3_m16_s5000", "n20_k3_m12_s5000"
    out = {
        "methods": ["sae_topk", "pca"],
        "surgeries": {"cells_of": "latents", "patients": ["sae_topk"]},
        **sweep(leave_out={"sae_topk": {"n_latents": [40]}}),
    }
    run = config.load(merged(GOOD, out))
    assert run.methods_on(large) == ("pca",)
    assert run.methods_on(small) == ("sae_topk", "pca")
    assert run.sweep("latents")["left_out"] == {"sae_topk": [large]}
    operated = run.experiments["frozen_decoder"]
    assert operated.methods_on(large) == config.REFERENCES
    assert operated.methods_on(small) == ("sae_topk", *config.REFERENCES)
    again = {"over": ["n_latents"], "n_latents": [40], "k": [3]}
    run = config.load(merged(GOOD, merged(out, {"sweeps": {"again": again}})))
    assert "sae_topk" in run.methods_on(large)


def test_operated_methods_are_not_compared_in_the_sweeps_for_that():
    run = config.load(read("quick.yaml") | {"methods": ["sae_topk"]})
    assert run.methods_on("n50_k10_m33_s5000") == ("sae_topk",)


def test_an_integer_in_the_place_of_a_real_number_is_the_same_cell():
    def cells(snr):
        sweep = {"problem": "noisy", "over": ["snr_db"], "snr_db": snr, "n_latents": [20], "k": [3]}
        return config.load({"protocol": "strict", "sweeps": {"noise": sweep}}).cells

    assert cells([0, 20]) == cells([0.0, 20.0])
    assert {cell.settings_json for cell in cells([0]).values()} == {
        cell.settings_json for cell in cells([0.0]).values()
    }


def test_a_table_says_what_a_setting_of_a_problem_is_called():
    def told(problem, variable):
        sweep = {"problem": problem, "over": [variable], variable: [1, 2], "n_latents": [20]}
        run = config.load({"sweeps": {"noise": sweep | {"k": [3] if variable != "k" else [1, 2]}}})
        return run.sweep("noise").get("long_names")

    assert told("noisy", "snr_db") == {"snr_db": "signal-to-noise ratio (dB)"}
    assert told("noisy", "k") is None
    assert told("paper", "k") is None
