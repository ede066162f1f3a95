"""The strict protocol for every method, and from data to audit, on a tiny cell."""

from collections import defaultdict

import numpy as np
import pytest
from bench import CELL, SEEDS, brief_settings
from test_surgeries import BRIEF as BRIEF_SURGERIES

from sae_surgery import methods, metrics, surgeries
from sae_surgery.files import store
from sae_surgery.files.codes import Codes
from sae_surgery.files.data import SCORED, CellData
from sae_surgery.problems.laws import fresh
from sae_surgery.steps.assess import assess
from sae_surgery.steps.audit import audit
from sae_surgery.steps.encode import encode
from sae_surgery.steps.evaluate import evaluate
from sae_surgery.steps.fit import fit
from sae_surgery.steps.operate import operate
from sae_surgery.steps.renew import renew
from sae_surgery.tables.corrections import CORRECTIONS, SCORES

ALL = pytest.mark.parametrize("name", methods.available())
ANEW = [name for name in methods.available() if methods.trait(name, "strict")]


class StrictBench:
    """Fits and encodes under the strict protocol, each thing once."""

    def __init__(self, bench):
        self.bench = bench

    def data(self, seeds=SEEDS):
        published = self.bench.data(seeds)
        path = published.with_name(f"fresh_{published.name}")
        if not path.exists():
            renew(published, path)
        return path

    def encode(self, model, data, name):
        path = self.bench.folder / f"{name}.nc"
        if not path.exists():
            encode(data, model, "cpu", 1, path)
        return path

    def fit(self, name, seeds=SEEDS):
        """Return model and codes of fresh samples."""
        data = self.data(seeds)
        if name not in ANEW:
            model, _ = self.bench.fit(name, seeds)
            return model, self.encode(model, data, f"{data.stem}_{name}_fresh_codes")
        paths = [self.bench.folder / f"{data.stem}_{name}_{kind}.nc" for kind in ("model", "codes")]
        if not paths[0].exists():
            parent = methods.trait(name, "parent")
            parent = self.fit(parent, seeds)[0] if parent else None
            settings = methods.trait(name, "strict") | brief_settings(name)
            fit(name, data, parent, settings, "cpu", 1, *paths)
        return tuple(paths)


@pytest.fixture(scope="module")
def strict_bench(bench):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fresh, "LEAST_SAMPLES", 200)
        patch.setattr(fresh, "LEAST_USES", 15)
        yield StrictBench(bench)


@ALL
def test_what_is_learned_is_learned_from_train(name):
    settings = methods.trait(name, "strict") or {}
    assert set(methods.load(name, settings).learns_from) <= {"train"}


@ALL
def test_a_method_whose_parent_is_fitted_anew_is_so_too(name):
    parent = methods.trait(name, "parent")
    assert parent not in ANEW or name in ANEW


@pytest.mark.parametrize("name", surgeries.available())
def test_surgeries_accept_their_strict_settings(name):
    settings = surgeries.trait(name, "strict") or {}
    assert settings == dict(type(surgeries.load(name, settings)).strict)


@ALL
def test_codes_are_of_the_fresh_samples_and_seeds_do_not_feel_each_other(strict_bench, name):
    data = CellData(strict_bench.data())
    together = Codes(strict_bench.fit(name)[1], data)
    alone = Codes(strict_bench.fit(name, seeds=(1,))[1], CellData(strict_bench.data((1,))))
    assert together.status == "ok"
    for split in SCORED:
        assert len(together.dense(split, 0)) == len(data.labels(split, 0)) != CELL.n_val
        np.testing.assert_array_equal(together.dense(split, 1), alone.dense(split, 0))


@pytest.mark.parametrize("name", ["sae_relu", "sae_mp", "linear_probe", "fista_oracle", "pca"])
def test_encoding_the_published_samples_gives_the_published_codes(bench, strict_bench, name):
    model, codes = bench.fit(name)
    again = strict_bench.encode(model, bench.data(), f"{name}_encoded_again")
    data = CellData(bench.data())
    for split in SCORED:
        np.testing.assert_array_equal(
            Codes(again, data).dense(split, 2), Codes(codes, data).dense(split, 2)
        )


def test_a_model_of_another_dictionary_is_refused(bench, strict_bench):
    model, _ = bench.fit("fista_oracle", seeds=(1,))
    with pytest.raises(store.StoreError, match="made from another data file"):
        encode(strict_bench.data(), model, "cpu", 1, bench.folder / "refused.nc")


def test_the_reason_of_a_skipped_model_is_passed_on(bench, strict_bench, monkeypatch):
    monkeypatch.setattr(type(methods.load("raw")), "why_not", lambda self, cell: "the test says so")
    model, _ = bench.fit("raw", again="_skipped_for_strict")
    output = strict_bench.encode(model, strict_bench.data(), "raw_skipped_codes")
    assert store.read(output, "codes").attrs["status"] == "skipped: the test says so"


def test_oracle_codes_are_optimal_and_beat_chance(strict_bench):
    names = ["fista_oracle", "random_dictionary", "raw"]
    models, codes = zip(*(strict_bench.fit(name) for name in names), strict=True)
    output = strict_bench.bench.folder / "strict_metrics.nc"
    evaluate(strict_bench.data(), codes, models, "strict", output)
    file = store.read(output, "metrics")
    assert set(metrics.quantities("strict")) <= set(file.data_vars)
    mcc = file["mcc_ood"].mean("seed").to_series()
    mcc.index = names
    assert mcc["fista_oracle"] > mcc["random_dictionary"] + 0.3
    assert (file["mcc_ood_low"] <= file["mcc_ood"]).all()
    assert (file["largest_gap"][:2] <= 1e-6).all()
    assert file["largest_gap"][2].isnull().all()


def scores_of_surgery(strict_bench, name):
    """Do a surgery on an SAE and score it, once."""
    folder, data = strict_bench.bench.folder, strict_bench.data()
    operated, scored = folder / f"strict_{name}.nc", folder / f"strict_{name}_scores.nc"
    if not scored.exists():
        model, codes = strict_bench.fit("sae_relu")
        settings = (surgeries.trait(name, "strict") or {}) | BRIEF_SURGERIES.get(name, {})
        donor = surgeries.trait(name, "donor")
        donor_path = strict_bench.fit(donor)[0] if donor else None
        operate(name, data, model, codes, settings, "cpu", 1, operated, donor_path)
        assess(data, [operated], "strict", scored)
    return store.read(scored, "metrics")


@pytest.mark.parametrize("name", surgeries.available())
def test_surgeries_are_done_and_scored_on_fresh_samples(strict_bench, name):
    file = scores_of_surgery(strict_bench, name)
    assert file["mcc_ood"].notnull().any()
    if "largest_gap" in surgeries.load(name).diagnostics:
        assert float(file["largest_gap"].max()) <= 1e-6


def test_learned_on_train_one_round_is_not_none(strict_bench):
    """Under the published protocol codes lag the dictionary by one round."""
    scores = scores_of_surgery(strict_bench, "warm_start_decoder")
    warm = scores["mcc_ood"].sel(condition="warm")
    assert (warm.sel(n_rounds=0) != warm.sel(n_rounds=1)).all()


def test_the_audit_tells_each_score_by_correction(bench, strict_bench):
    names = ["fista_oracle", "sae_relu", "random_dictionary", "linear_probe"]
    data, fresh_data = bench.data(), strict_bench.data()
    lists = defaultdict(list)
    for name in names:
        model, codes = bench.fit(name)
        strict_model, strict_codes = strict_bench.fit(name)
        lists["models"].append(model)
        lists["codes"].append(codes)
        lists["fresh"].append(strict_bench.encode(model, fresh_data, f"{name}_paper_on_fresh"))
        lists["strict_models"].append(strict_model)
        lists["crossed"].append(strict_bench.encode(strict_model, data, f"{name}_strict_on_paper"))
        lists["strict_codes"].append(strict_codes)
    output = bench.folder / "audit.nc"
    audit(data, fresh_data, *lists.values(), output)
    file = store.read(output, "metrics")
    assert file["mcc_id"].shape == (len(names), len(CORRECTIONS), len(SEEDS))
    assert set(SCORES) <= set(file.data_vars)
    published = bench.folder / "published_metrics.nc"
    evaluate(data, lists["codes"], lists["models"], "paper", published)
    for score in SCORES:
        np.testing.assert_array_equal(
            file[score].values[:, 0], store.read(published, "metrics")[score].values
        )
    conditions = list(file["condition"].values)
    unfitted = file["mcc_ood"].values[names.index("sae_relu")]
    np.testing.assert_array_equal(
        unfitted[conditions.index("strict_model")], unfitted[conditions.index("published")]
    )
