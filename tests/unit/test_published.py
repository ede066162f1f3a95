"""The published facts: complete, in this project's words, and those that the paper is known by."""

from pathlib import Path

import pytest
import yaml

from sae_surgery import methods, metrics
from sae_surgery.pages import published
from sae_surgery.plan import config

ROOT = Path(__file__).parents[2]
CELL = ["n_latents", "k", "obs_dim", "n_samples"]


@pytest.fixture(scope="module")
def facts():
    return published.facts_of(published.available())


def test_every_experiment_of_the_paper_has_facts():
    run = config.load(yaml.safe_load((ROOT / "config/paper.yaml").read_bytes()))
    assert set(published.available()) == set(run.experiments)


def test_no_number_was_lost(facts):
    # Of 20373 rows, 2856 of an older grid, 108 that are there twice, and 6 that no table has.
    assert len(facts) == 20373 - 2856 - 108 - 6
    place = ["experiment", *published.PLACE, "metric"]
    assert not facts.duplicated(place).any()
    assert facts[["mean", "sd"]].notna().all(axis=None)
    assert (facts["sd"] >= 0).all()


@pytest.mark.parametrize(
    ("experiment", "place", "mean", "sd"),
    [
        ("latents", ("fista_oracle", "", 50, "mcc_id"), 0.973817, 0.00174511),
        ("latents", ("softplus_adam", "", 50, "mcc_id"), 0.533807, 0.014423),
        ("latents", ("linear_probe", "", 100, "mcc_ood"), 0.407974, 0.0194627),
        ("frozen_decoder", ("sae_mp", "refined", 50, "mcc_ood"), 0.433271, 0.0252951),
        ("support_recovery", ("sae_relu", "lstsq", 50, "mcc_id"), 0.0449162, 0.0022098),
        ("support_recovery", ("sae_topk", "own", 50, "support_f1_ood"), 0.44311, 0.0393172),
    ],
)
def test_known_numbers_are_where_they_belong(facts, experiment, place, mean, sd):
    names = ["method", "condition", "n_latents", "metric"]
    found = facts[facts["experiment"] == experiment].set_index(names)[["mean", "sd"]]
    assert found.loc[[place]].iloc[0].tolist() == [mean, sd]


def test_words_are_those_of_the_project(facts):
    assert set(facts["method"]) <= set(methods.available())
    assert set(facts["metric"]) <= {*metrics.quantities("paper"), "val_mse", "val_l0"}


def test_cells_are_those_of_the_paper(facts):
    run = config.load(yaml.safe_load((ROOT / "config/paper.yaml").read_bytes()))
    for experiment, some in facts.groupby("experiment"):
        names = {
            f"n{n}_k{k}_m{m}_s{samples}"
            for n, k, m, samples in some[CELL].drop_duplicates().itertuples(index=False)
        }
        foreign = {"n50_k10_m47_s2000"} if experiment == "phase_transition" else set()
        assert names - foreign <= set(run.experiments[experiment].cells)


def test_own_codes_beside_a_frozen_decoder_are_those_of_the_sweep(facts):
    place = ["method", *CELL, "metric"]
    sweep = facts[facts["source"] == "vary_latents"].set_index(place)["mean"]
    own = facts.query("source == 'frozen_decoder' and condition == 'own'").set_index(place)["mean"]
    assert len(own) == 180
    assert (own == sweep.reindex(own.index)).all()


def test_seeds_that_are_missing_are_told(facts):
    two = facts[(facts["source"] == "warmstart_decoder") & (facts["n_latents"] == 10000)]
    assert set(two["n_seeds"]) == {2}
    assert set(facts["n_seeds"]) == {1, 2, 3}


def test_files_are_small_and_their_columns_explained():
    files = list(published.FOLDER.glob("*.csv"))
    assert sum(path.stat().st_size for path in files) < 1e6
    text = (published.FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in [*published.PLACE, "n_seeds"])
