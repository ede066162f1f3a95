"""The comparison: what is planted is found, nothing is dropped, each number is rightly tested."""

import shutil

import numpy as np
import pytest
import xarray as xr
import yaml

from published_tables import by_seed, make_table, released_rows
from sae_surgery.errors import SurgeryError
from sae_surgery.files import store
from sae_surgery.files.store import Origin, Variable
from sae_surgery.pages import published
from sae_surgery.pages.comparison import expectations
from sae_surgery.pages.comparison.criteria import RELATIVE, Criteria, kind_of
from sae_surgery.pages.comparison.expectations import EXACT, NONE, PER_SEED, RULES, STATISTICAL
from sae_surgery.pages.comparison.reproduced import LAST, reproduced
from sae_surgery.pages.comparison.rows import compare
from sae_surgery.pages.comparison.summary import sums, worst
from sae_surgery.plan import config
from sae_surgery.steps.compare import compare as step

CRITERIA = Criteria.of({})


def counts(rows):
    return rows["verdict"].value_counts().to_dict()


def test_published_numbers_are_the_same_as_themselves():
    rows = compare([make_table("latents", [50, 100])], CRITERIA)
    same = rows[rows["expected"].isin([EXACT, PER_SEED]) & rows["n_latents"].isin([50, 100])]
    assert counts(same) == {"agrees": len(same)}
    assert rows["difference"].abs().max() < 1e-12


def test_nothing_is_dropped():
    rows = compare([make_table("latents", [50])], CRITERIA)
    assert len(rows) == len(published.facts("latents"))
    assert counts(rows)["missing"] == (rows["n_latents"] != 50).sum() == 240


def test_a_method_that_the_run_lacks_is_missing():
    table = make_table("latents", [50])
    kept = table.sel({"method": ["fista_oracle"]}).assign_attrs(table.attrs)
    rows = compare([kept], CRITERIA)
    assert set(rows[rows["verdict"] != "missing"]["method"]) == {"fista_oracle"}


@pytest.mark.parametrize(
    ("method", "metric", "change"),
    [
        ("fista_oracle", "mcc_id", 1e-4),
        ("linear_probe", "auc_ood", 1e-3),
        ("sae_relu", "mcc_ood", 0.01),
        ("sae_topk", "mcc_ood", 0.9),
    ],
)
def test_a_changed_published_number_is_found_by_name(method, metric, change, tmp_path, monkeypatch):
    table = make_table("latents", [50])
    folder = shutil.copytree(published.FOLDER, tmp_path / "published")
    facts = published.facts("latents")
    old = facts.query("method == @method and n_latents == 50 and metric == @metric")["mean"].iloc[0]
    path = folder / "latents.csv"
    changed = path.read_text(encoding="utf-8").replace(f",{old:g},", f",{old - change:.8g},")
    path.write_text(changed, encoding="utf-8")
    monkeypatch.setattr(published, "FOLDER", folder)
    rows = compare([table], CRITERIA)
    different = rows[rows["verdict"] == "differs"]
    assert different[["method", "n_latents", "metric"]].values.tolist() == [[method, 50, metric]]
    assert different["difference"].iloc[0] == pytest.approx(change)


def test_with_other_seeds_only_means_are_compared():
    table = make_table("latents", [50])
    rows = compare([table.assign_coords(seed=[7, 8, 9]).assign_attrs(table.attrs)], CRITERIA)
    compared = rows[rows["verdict"] != "missing"]
    assert set(compared["expected"]) == {STATISTICAL}
    assert compared[compared["method"] == "sae_relu"]["why"].str.contains("seeds").all()


def test_further_seeds_do_not_disturb_those_that_were_published():
    table = make_table("latents", [50])
    further = table.assign_coords(seed=[3, 4, 5]) + 0.2
    both = xr.concat([table, further], "seed").assign_attrs(table.attrs)
    rows = compare([both], CRITERIA).set_index(["method", "n_latents", "metric"])
    exact, mean = rows.loc[("fista_oracle", 50, "mcc_id")], rows.loc[("sae_mp", 50, "mcc_id")]
    assert (exact["verdict"], exact["reproduced_seeds"]) == ("agrees", 3)
    assert mean["reproduced_seeds"] == 6
    assert mean["difference"] == pytest.approx(0.1)


def test_published_seeds_are_paired():
    table = make_table("latents", [50])
    released = as_released(table)
    shifted = (table + 0.06).assign_attrs(table.attrs)
    rows = compare([shifted], CRITERIA, released)
    topk = rows.query("method == 'sae_topk' and n_latents == 50 and metric == 'mcc_ood'").iloc[0]
    # Unpaired, the spread of 0.06 over seeds would leave it undecided.
    assert (topk["test"], topk["verdict"]) == ("paired t", "differs")
    relu = rows.query("method == 'sae_relu' and n_latents == 50 and metric == 'mcc_ood'").iloc[0]
    assert relu["test"] == "largest difference of a seed"
    assert relu["distance"] == pytest.approx(0.06)


def as_released(table):
    """Return the table's own numbers, as if they were the released ones."""
    return reproduced(table).assign(source="vary_latents")


def test_the_last_record_of_each_seed_is_compared():
    table = make_table("warm_start_encoder", [50], source="warmstart_encoder")
    late = table.copy()
    late["mcc_id"] = late["mcc_id"].where((late["n_iter"] < 500) | (late["seed"] > 0))
    found = reproduced(late.assign_attrs(table.attrs))
    last = found[
        (found["step"] == LAST) & (found["metric"] == "mcc_id") & (found["method"] == "sae_relu")
    ]
    at = found.query("metric == 'mcc_id' and method == 'sae_relu' and condition == 'cold'")
    expected = at.set_index(["step", "seed"])["value"]
    got = last[last["condition"] == "cold"].set_index("seed")["value"]
    assert got[0] == expected[200, 0]
    assert got[1] == expected[500, 1]


def test_every_rule_is_the_first_to_fit_some_fact():
    facts = published.facts_of(published.available())
    expected = expectations.expected(facts)
    assert expected.index.equals(facts.index)
    assert set(expected["why"]) == {rule.why for rule in RULES}


@pytest.mark.parametrize(
    ("experiment", "chosen", "kind"),
    [
        ("latents", "method == 'fista_oracle'", EXACT),
        ("latents", "method == 'sae_jumprelu'", PER_SEED),
        ("latents", "method == 'sae_mp'", STATISTICAL),
        ("frozen_decoder", "method == 'sae_relu' and condition == 'renormed'", PER_SEED),
        ("warm_start_decoder", "method == 'sae_relu' and condition == 'cold'", STATISTICAL),
        (
            "warm_start_decoder",
            "method == 'sae_relu' and condition == 'warm' and step < 20",
            PER_SEED,
        ),
        ("warm_start_decoder", "condition == 'warm' and step > 10", STATISTICAL),
        ("support_recovery", "method == 'sae_relu' and condition == 'lstsq'", NONE),
        ("support_recovery", "metric == 'support_l0_true_id'", EXACT),
        ("phase_transition", "method == 'sae_topk'", NONE),
        ("phase_transition", "method == 'raw' and metric == 'auc_id'", NONE),
        ("phase_transition", "method == 'raw' and metric == 'mcc_id'", EXACT),
        ("phase_transition", "method == 'linear_probe'", EXACT),
        ("phase_transition", "method == 'pca' and metric == 'mcc_id' and obs_dim <= 100", EXACT),
        (
            "phase_transition",
            "method == 'pca' and metric == 'mcc_id' and obs_dim > 100",
            STATISTICAL,
        ),
    ],
)
def test_expectations(experiment, chosen, kind):
    facts = published.facts(experiment)
    rows = facts.join(expectations.expected(facts)).query(chosen)
    assert set(rows["expected"]) == {kind}


def test_sums_count_every_row_once():
    rows = compare([make_table("latents", [50]), make_table("samples", [100])], CRITERIA)
    counted = sums(rows)
    assert counted.query("experiment != 'all'")["published"].sum() == len(rows)
    total = counted.query("experiment == 'all'")
    assert total["published"].sum() == len(rows)
    assert total["agrees"].sum() == (rows["verdict"] == "agrees").sum()


def test_what_is_shown_to_agree_is_within_its_limit_and_what_differs_is_not():
    table = make_table("latents", [50])
    table["mcc_id"] = table["mcc_id"] + 0.3
    counted = sums(compare([table], CRITERIA)).dropna(subset="share")
    compared = counted["published"] - counted["missing"]
    assert (counted["share"] <= counted["within"]).all()
    assert (counted["within"] * compared <= compared - counted["differs"]).all()
    assert counted["within"].min() < 1


def test_the_worst_come_first():
    table = make_table("latents", [50])
    table["mcc_id"] = table["mcc_id"] + 0.3
    ranked = worst(compare([table.assign_attrs(table.attrs)], CRITERIA), 10)
    assert ranked["verdict"].iloc[0] == "differs"
    differing = ranked[ranked["verdict"] == "differs"]["excess"]
    assert (np.diff(differing) <= 0).all()


@pytest.mark.parametrize(
    ("experiment", "protocol", "words"),
    [
        ("mine", "paper", r"table\.nc: nothing was published on 'mine', but on frozen_decoder"),
        ("latents", "strict", r"table\.nc: protocol 'strict', but 'paper' was published"),
    ],
)
def test_tables_that_nothing_was_published_on_are_refused(tmp_path, experiment, protocol, words):
    names = Variable(("method",), np.array(["raw"]), "name", None)
    variables = {"title": names, "family": names}
    told = {"experiment": experiment, "run": "r", "protocol": protocol}
    path = tmp_path / "table.nc"
    store.write(path, "table", variables.items(), Origin("a table"), **told)
    with pytest.raises(SurgeryError, match=words):
        step([path], tmp_path, {})


def test_limits_have_their_kind():
    assert {kind_of(metric) for metric in published.facts_of(published.available())["metric"]} == (
        set(CRITERIA.limits)
    )
    assert kind_of("val_mse") == kind_of("support_l0_total_id") == RELATIVE


def test_seed_by_seed_nothing_has_to_agree_better_than_rounding_lets_it():
    rows = compare([make_table("latents", [50, 100, 500, 1000])], CRITERIA)
    wider = rows[rows["limit"] > rows["tolerance"]]
    assert set(wider["expected"]) == {EXACT, PER_SEED}
    assert wider[wider["expected"] == PER_SEED]["n_latents"].min() >= 100
    assert set(wider[wider["expected"] == EXACT]["metric"]) == {"mcc_id", "mcc_ood"}
    large = rows[(rows["n_latents"] == 1000) & (rows["metric"] == "mcc_id")].set_index("method")
    assert large["tolerance"]["sae_relu"] == CRITERIA.limits["mcc"].per_seed
    assert 0.001 < large["limit"]["sae_relu"] < 0.02
    assert (rows["limit"] >= rows["tolerance"]).all()


def test_criteria_can_be_set_one_by_one():
    changed = Criteria.of({"alpha": 0.01, "mcc": {"margin": 0.2}})
    assert (changed.alpha, changed.limits["mcc"].margin) == (0.01, 0.2)
    assert changed.limits["mcc"].exact == CRITERIA.limits["mcc"].exact
    assert changed.limits["auc"] == CRITERIA.limits["auc"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"aplha": 0.1}, "comparison: unknown key 'aplha'"),
        ({"alpha": 0}, "comparison.alpha: 0 is too small"),
        ({"mcc": {"margin": "wide"}}, "comparison.mcc.margin: 'wide' is not of type number"),
    ],
)
def test_bad_criteria_are_refused_in_words(given, words):
    with pytest.raises(SurgeryError, match=words):
        Criteria.of(given)


def test_limits_stand_in_the_readme_with_their_defaults():
    page = config.SCHEMA_FILE.parents[2] / "config/README.md"
    lines = page.read_text(encoding="utf-8").splitlines()
    schema = yaml.safe_load(config.SCHEMA_FILE.read_bytes())
    kinds = schema["properties"]["comparison"]["properties"]
    alpha = kinds.pop("alpha")
    assert any(f"`alpha` (default `{alpha['default']}`)" in line for line in lines)
    for kind, below in kinds.items():
        defaults = [below["properties"][key] for key in ("exact", "per_seed", "margin")]
        assert all(each["description"].endswith(".") for each in [below, *defaults])
        row = " | ".join([f"`{kind}`", *(f"`{each['default']}`" for each in defaults)])
        assert any(line.startswith(f"| {row} | ") for line in lines), row


def test_made_up_seeds_have_the_published_statistics():
    numbers = by_seed(0.5, 0.1)
    assert (numbers.mean(), numbers.std()) == pytest.approx((0.5, 0.1))
    assert len(released_rows()) == 2 * 8 * 3
