"""The contract of every registered surgery, on tiny models and through the real steps."""

import json
from dataclasses import replace

import numpy as np
import pytest
from bench import CELL, SEEDS, Bench

from sae_surgery import surgeries
from sae_surgery.errors import SurgeryError
from sae_surgery.files import store
from sae_surgery.files.data import SCORED, CellData
from sae_surgery.files.operations import Operation
from sae_surgery.steps.assess import assess
from sae_surgery.steps.operate import operate
from sae_surgery.surgeries.base import Surgery

ALL = pytest.mark.parametrize("name", surgeries.available())
PATIENTS = pytest.mark.parametrize("patient", ["sae_relu", "sae_mp", "dl_fista"])
BRIEF = {
    "penalty_sweep": {"penalty_factors": (1.0, 30.0), "k_factors": (1.0, 2.0)},
    "warm_start_decoder": {"counts": (0, 1, 2, 5), "n_iter": 10},
}


def done(bench, name, patient, seeds=SEEDS, again=""):
    """Do a surgery unless it has been done, and return its file."""
    path = bench.folder / f"{name}_{patient}_{'_'.join(map(str, seeds))}{again}.nc"
    if not path.exists():
        model, codes = bench.fit(patient, seeds)
        settings = BRIEF.get(name, {})
        donor = surgeries.trait(name, "donor")
        donor_path = bench.fit(donor, seeds)[0] if donor else None
        operate(name, bench.data(seeds), model, codes, settings, "cpu", 1, path, donor_path)
    return path


def read(bench, name, patient, seeds=SEEDS):
    return Operation(done(bench, name, patient, seeds), CellData(bench.data(seeds)))


@ALL
@pytest.mark.parametrize(
    "trait",
    [
        "references",
        "donor",
        "on_request",
        "outcomes",
        "codes_held",
        "sparse",
        "atom_pairs",
        "conditions",
        "step",
    ],
)
def test_traits_that_the_workflow_reads_are_literals_of_the_class(name, trait):
    read, written = surgeries.trait(name, trait), getattr(type(surgeries.load(name)), trait)
    assert read == (written or None)


@ALL
def test_description_is_complete(name):
    surgery = surgeries.load(name)
    assert isinstance(surgery, Surgery)
    assert surgery.question.endswith("?")
    assert (surgery.step is None) == (surgery.step_means == "")


@ALL
@PATIENTS
def test_every_outcome_has_codes_and_a_place_of_its_own(bench, name, patient):
    operation, surgery = read(bench, name, patient), surgeries.load(name)
    assert operation.status == "ok"
    places = operation.places(surgery.step)
    assert len(set(places)) == len(places) > 0
    conditions = [condition for condition, *_ in places]
    assert not surgery.conditions or set(conditions) <= set(surgery.conditions)
    for outcome in range(len(places)):
        for seed in range(len(SEEDS)):
            assert operation.dictionary(outcome, seed).shape == (CELL.obs_dim, CELL.n_latents)
            for split in SCORED:
                assert np.isfinite(operation.dense(split, outcome, seed)).all()


@ALL
def test_the_same_surgery_gives_the_same_bytes(bench, name):
    first, second = (done(bench, name, "sae_relu", again=again) for again in ("", "_again"))
    assert first.read_bytes() == second.read_bytes()


@ALL
@PATIENTS
def test_a_seed_does_not_feel_the_others_of_its_batch(bench, name, patient):
    together, alone = read(bench, name, patient), read(bench, name, patient, (1,))
    step = surgeries.load(name).step
    # Dictionary learning of other seeds may go on for longer, and leave more records.
    for outcome, place in enumerate(alone.places(step)):
        same = together.places(step).index(place)
        for split in SCORED:
            np.testing.assert_array_equal(
                together.dense(split, same, 1), alone.dense(split, outcome, 0)
            )


@ALL
def test_scores_stand_at_condition_step_and_seed(bench, name):
    paths = [done(bench, name, patient) for patient in ("sae_relu", "sae_mp")]
    output = bench.folder / f"{name}_metrics.nc"
    assess(bench.data(), paths, "paper", output)
    metrics, surgery = store.read(output, "metrics"), surgeries.load(name)
    assert metrics["method"].values.tolist() == ["sae_relu", "sae_mp"]
    dims = ("method", "condition", *([surgery.step] if surgery.step else []), "seed")
    assert metrics["mcc_ood"].dims == dims
    scored = metrics["mcc_ood"].notnull().sum(("condition", "seed"))
    assert (scored.sum([dim for dim in scored.dims if dim != "method"]) > 0).all()
    for diagnostic in surgery.diagnostics:
        assert np.isfinite(metrics[diagnostic].values).any()


@ALL
def test_a_method_without_a_dictionary_is_no_patient(bench, name):
    path = done(bench, name, "raw")
    assert store.read(path, "operation").attrs["status"] == "skipped: the method has no dictionary"


def test_learning_dynamics_needs_records(bench):
    path = done(bench, "learning_dynamics", "fista_oracle")
    assert "keeps no record" in store.read(path, "operation").attrs["status"]


def test_the_last_record_is_the_model(bench):
    operation = read(bench, "learning_dynamics", "sae_relu")
    last = len(operation.places("epoch")) - 1
    for split in SCORED:
        np.testing.assert_array_equal(
            operation.dense(split, last, 0), bench.codes("sae_relu").dense(split, 0)
        )


def test_own_codes_are_the_method_s(bench):
    operation = read(bench, "frozen_decoder", "sae_mp")
    own = operation.places(None).index(("own", None))
    np.testing.assert_array_equal(
        operation.dense("ood", own, 2), bench.codes("sae_mp").dense("ood", 2)
    )


def test_a_penalty_sweep_holds_the_patient_and_what_other_penalties_make_of_it(bench):
    operation, patient = read(bench, "penalty_sweep", "sae_relu"), bench.codes("sae_relu")
    same, other = (operation.places("factor").index(("trained", each)) for each in (1, 30))
    codes = operation.dense("val", same, 0)
    np.testing.assert_array_equal(codes, patient.dense("val", 0))
    assert operation.dense("val", other, 0).sum() < codes.sum()
    assert (operation.dictionary(same, 0) != operation.dictionary(other, 0)).any()


def test_a_sweep_of_k_activates_as_many_atoms(bench):
    operation = read(bench, "penalty_sweep", "sae_mp")
    twice = operation.places("factor").index(("trained", 2))
    active = (operation.dense("val", twice, 0) != 0).sum(axis=1)
    assert active.max() == 2 * CELL.k


def test_what_is_no_sae_is_not_trained(bench):
    operation = read(bench, "penalty_sweep", "dl_fista")
    assert operation.places("factor") == [("trained", 1)]
    own = bench.codes("dl_fista").dense("ood", 1)
    np.testing.assert_array_equal(operation.dense("ood", 0, 1), own)


def test_oracle_norms_differ_from_renormed_where_the_truth_has_unequal_norms(tmp_path):
    unequal = Bench(tmp_path)
    cell = replace(CELL, norm_ratio=9)
    model, codes = unequal.fit("sae_relu", cell=cell)
    path, data = tmp_path / "operation.nc", unequal.data(cell=cell)
    operate("frozen_decoder", data, model, codes, {}, "cpu", 1, path)
    operation = Operation(path, CellData(data))
    conditions = [condition for condition, _ in operation.places(None)]
    norms = {
        name: np.linalg.norm(operation.dictionary(conditions.index(name), 0), axis=0)
        for name in ("renormed", "oracle_norms")
    }
    np.testing.assert_allclose(norms["renormed"], 1, atol=1e-5)
    assert norms["oracle_norms"].max() > 5 * norms["oracle_norms"].min()


def test_oracle_norms_equal_renormed_where_the_truth_has_unit_columns(bench):
    operation = read(bench, "frozen_decoder", "sae_relu")
    conditions = [condition for condition, _ in operation.places(None)]
    renormed, true = conditions.index("renormed"), conditions.index("oracle_norms")
    np.testing.assert_allclose(
        operation.dense("ood", renormed, 0), operation.dense("ood", true, 0), atol=1e-5
    )


def test_renormed_equals_frozen_where_columns_have_unit_norm(bench):
    operation = read(bench, "frozen_decoder", "random_dictionary")
    conditions = [condition for condition, _ in operation.places(None)]
    for split in SCORED:
        frozen, renormed = (
            operation.dense(split, conditions.index(condition), 0)
            for condition in ("frozen", "renormed")
        )
        np.testing.assert_allclose(frozen, renormed, atol=1e-5)


def test_warm_start_of_the_decoder_begins_at_the_frozen_decoder(bench):
    warm = read(bench, "warm_start_decoder", "sae_relu")
    path = bench.folder / "frozen_as_brief.nc"
    model, codes = bench.fit("sae_relu")
    operate("frozen_decoder", bench.data(), model, codes, {"n_iter": 10}, "cpu", 1, path)
    frozen = Operation(path, CellData(bench.data()))
    start = warm.places("n_rounds").index(("warm", 0))
    condition = frozen.places(None).index(("frozen", None))
    for split in SCORED:
        np.testing.assert_array_equal(
            warm.dense(split, start, 1), frozen.dense(split, condition, 1)
        )


@ALL
def test_settings_are_kept_in_the_file(bench, name):
    settings = json.loads(store.read(done(bench, name, "sae_relu"), "operation").attrs["settings"])
    for key, value in BRIEF.get(name, {}).items():
        assert settings[key] == (list(value) if isinstance(value, tuple) else value)


def test_codes_of_another_method_are_refused(bench):
    model, codes = bench.fit("sae_relu")[0], bench.fit("sae_mp")[1]
    with pytest.raises(SurgeryError, match=r"codes of sae_mp, but .* is of sae_relu"):
        operate("frozen_decoder", bench.data(), model, codes, {}, "cpu", 1, bench.folder / "x.nc")


def test_operations_of_several_surgeries_are_refused(bench):
    paths = [done(bench, name, "sae_relu") for name in ("frozen_decoder", "support_recovery")]
    with pytest.raises(SurgeryError, match="several surgeries"):
        assess(bench.data(), paths, "paper", bench.folder / "x.nc")


def test_unknown_surgery_names_the_near_miss():
    with pytest.raises(SurgeryError, match="did you mean 'frozen_decoder'"):
        surgeries.load("frozen_decodr")


@pytest.mark.parametrize("patient", ["sae_relu", "sae_topk", "sae_jumprelu", "sae_mp", "dl_lista"])
def test_an_exchanged_dictionary_stays_as_it_is(bench, patient):
    operation, data = read(bench, "learned_dictionary", patient), CellData(bench.data())
    places = [condition for condition, _ in operation.places(None)]
    learned = store.read(bench.fit("dl_scaled")[0], "model")["dictionary"].values
    for seed in range(len(SEEDS)):
        for condition, dictionary in (("learned", learned), ("true", data.dictionary())):
            np.testing.assert_array_equal(
                operation.dictionary(places.index(condition), seed),
                dictionary[seed].astype(np.float32),
            )


@pytest.mark.parametrize("patient", ["sae_relu", "sae_topk", "sae_jumprelu", "dl_lista"])
def test_an_encoder_is_trained_on_the_dictionary_that_it_is_given(bench, patient):
    operation, data = read(bench, "learned_dictionary", patient), CellData(bench.data())
    truth, observations = data.dictionary()[0], data.observations("ood")[0]

    def error(condition):
        outcome = operation.places(None).index((condition, None))
        return np.square(operation.dense("ood", outcome, 0) @ truth.T - observations).mean()

    assert error("true") < error("learned")


def test_what_solves_for_its_codes_does_so_with_the_dictionary_that_it_is_given(bench):
    operation = read(bench, "learned_dictionary", "dl_scaled")
    own, learned, true = range(3)
    np.testing.assert_array_equal(
        operation.dense("ood", own, 1), operation.dense("ood", learned, 1)
    )
    assert np.abs(operation.dense("ood", own, 1) - operation.dense("ood", true, 1)).max() > 0.01


def test_a_surgery_with_a_donor_needs_its_model(bench):
    model, codes = bench.fit("sae_relu")
    given = bench.data(), model, codes, {}, "cpu", 1, bench.folder / "x.nc"
    with pytest.raises(SurgeryError, match="takes a part from a model of dl_scaled"):
        operate("learned_dictionary", *given)
    with pytest.raises(SurgeryError, match="takes a part from no other model"):
        operate("frozen_decoder", *given, model)


@pytest.mark.parametrize("name", ["frozen_decoder", "lambda_sensitivity"])
def test_the_exact_solver_certifies_every_outcome(bench, name):
    model, codes = bench.fit("sae_relu")
    path = bench.folder / f"{name}_exact.nc"
    operate(name, bench.data(), model, codes, {"solver": "exact"}, "cpu", 1, path)
    operation = Operation(path, CellData(bench.data()))
    inferred = [condition != "own" for condition, _ in operation.places(None)]
    assert (operation.file["largest_gap"].values[inferred] <= 1e-6).all()
    assert not operation.file["share_missed"].values[inferred].any()
    assert np.isnan(operation.file["largest_gap"].values[np.invert(inferred)]).all()
