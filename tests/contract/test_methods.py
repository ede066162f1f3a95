"""The contract of every registered method, on a tiny cell and through the real steps.

A new method is held to it by being registered.
"""

import dataclasses

import numpy as np
import pytest
import torch
from bench import CELL, SEEDS

from sae_surgery import methods
from sae_surgery.errors import SurgeryError
from sae_surgery.files import encoding, store
from sae_surgery.files.codes import Codes
from sae_surgery.files.data import SCORED, CellData
from sae_surgery.methods.base import Family, Method
from sae_surgery.problems.paper import Cell
from sae_surgery.steps.fit import fit

ALL = pytest.mark.parametrize("name", methods.available())


@ALL
def test_traits_that_the_workflow_reads_are_literals_of_the_class(name):
    cls = type(methods.load(name))
    traits = ("title", "family", "parent", "on_request", "gpu_from", "max_latents", "strict")
    for trait in (
        *traits,
        "atom_pairs",
        "codes_learned",
        "dictionaries_recorded",
        "dense",
        "narrow",
    ):
        assert (methods.trait(name, trait) or None) == (getattr(cls, trait) or None)


@ALL
def test_description_is_complete(name):
    cls = type(methods.load(name))
    assert cls.family in Family.__args__
    assert set(methods.load(name).learns_from) <= {"train", "val", "ood"}
    assert set(cls.knows) <= {"dictionary", "codes"}
    assert cls.parent is None or cls.parent in methods.available()
    assert cls.__doc__ and dataclasses.is_dataclass(cls.Settings)


@ALL
def test_codes_have_the_contract_s_shape_and_sign(bench, name):
    codes = bench.codes(name)
    assert codes.status == "ok"
    sizes = {"val": CELL.n_val, "ood": CELL.n_ood}
    for split in SCORED:
        for index in range(len(SEEDS)):
            dense = codes.dense(split, index)
            assert dense.shape[0] == sizes[split]
            assert np.isfinite(dense).all()
            assert methods.load(name).signed or (dense >= 0).all()


@ALL
def test_dictionary_has_atoms_of_the_observed_dimension(bench, name):
    model = store.read(bench.fit(name)[0], "model")
    if "dictionary" in model:
        assert model["dictionary"].dims == ("seed", "obs", "atom")
        n_atoms = bench.codes(name).dense("val", 0).shape[1]
        assert model["dictionary"].shape == (len(SEEDS), CELL.obs_dim, n_atoms)


@ALL
def test_the_same_fit_gives_the_same_bytes(bench, name):
    for first, second in zip(bench.fit(name), bench.fit(name, again="_again"), strict=True):
        assert first.read_bytes() == second.read_bytes()


@ALL
def test_a_seed_does_not_feel_the_others_of_its_batch(bench, name):
    together, alone = bench.codes(name), bench.codes(name, seeds=(1,))
    for split in SCORED:
        np.testing.assert_array_equal(together.dense(split, 1), alone.dense(split, 0))


@ALL
def test_a_method_sees_only_what_it_declares(bench, name, monkeypatch):
    seen = []
    cls, learns_from = type(methods.load(name)), set(methods.load(name).learns_from)
    monkeypatch.setattr(cls, "fit", lambda self, problem: seen.append(problem) or _stop())
    with pytest.raises(_Stop):
        bench.fit(name, again="_watched")
    (problem,) = seen
    assert set(problem.observations) == learns_from
    assert (problem.dictionary is not None) == ("dictionary" in cls.knows)
    assert set(problem.true_codes) == (learns_from if "codes" in cls.knows else set())


@ALL
def test_a_reason_why_not_is_kept_and_leaves_valid_files(bench, name, monkeypatch):
    cls = type(methods.load(name))
    monkeypatch.setattr(cls, "why_not", lambda self, cell: "the test says so")
    model, codes = bench.fit(name, again="_why_not")
    assert store.read(model, "model").attrs["status"] == "skipped: the test says so"
    assert store.read(codes, "codes").attrs["status"] == "skipped: the test says so"


@ALL
def test_a_limit_on_latents_is_given_as_the_reason(name):
    method = methods.load(name)
    if method.max_latents is not None:
        above = Cell(method.max_latents + 1, 3, 50, 100)
        assert str(method.max_latents) in method.why_not(above)
    assert method.why_not(CELL) is None


@ALL
def test_unknown_and_mistyped_settings_are_refused(name):
    with pytest.raises(SurgeryError, match=f"settings.{name}: unknown setting 'epohcs'"):
        methods.load(name, {"epohcs": 3})
    for field in dataclasses.fields(methods.load(name).Settings):
        wrong = 3 if isinstance(field.default, str) else "three"
        with pytest.raises(SurgeryError, match=f"settings.{name}.{field.name}: "):
            methods.load(name, {field.name: wrong})


def test_unknown_method_names_the_near_miss():
    with pytest.raises(SurgeryError, match="'sae_rleu' is unknown; did you mean 'sae_relu'"):
        methods.load("sae_rleu")


def test_a_method_whose_parent_was_skipped_is_skipped_too(bench, monkeypatch):
    cls = type(methods.load("dl_fista"))
    monkeypatch.setattr(cls, "why_not", lambda self, cell: "the test says so")
    parent = bench.fit("dl_fista", again="_skipped_parent")[0]
    files = bench.folder / "orphan_model.nc", bench.folder / "orphan_codes.nc"
    fit("dl_lista", bench.data(), parent, {}, "cpu", 1, *files)
    assert store.read(files[0], "model").attrs["status"].startswith("skipped: dl_fista")


def test_a_missing_parent_is_asked_for(bench):
    files = bench.folder / "x.nc", bench.folder / "y.nc"
    with pytest.raises(SurgeryError, match="--parent"):
        fit("dl_lista", bench.data(), None, {}, "cpu", 1, *files)


def test_cuda_is_never_replaced_by_the_processor_in_silence(bench, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    files = bench.folder / "x.nc", bench.folder / "y.nc"
    with pytest.raises(SurgeryError, match="'cuda' was asked for"):
        fit("raw", bench.data(), None, {}, "cuda", 1, *files)


def test_a_model_of_other_data_is_refused(bench):
    other = bench.fit("dl_fista", seeds=(4,))[0]
    files = bench.folder / "x.nc", bench.folder / "y.nc"
    with pytest.raises(store.StoreError, match="made from another data file"):
        fit("dl_lista", bench.data(), other, {}, "cpu", 1, *files)


class _Stop(Exception):
    """Ends a fit once it has been seen."""


def _stop():
    raise _Stop


def test_every_method_file_holds_one_method():
    for name in methods.available():
        assert issubclass(type(methods.load(name)), Method)


def test_codes_do_not_depend_on_how_many_samples_are_encoded_together(bench, monkeypatch):
    whole = bench.codes("fista_oracle")
    monkeypatch.setattr(encoding, "DENSE_CODES", len(SEEDS) * CELL.n_latents * 7)
    parts = Codes(bench.fit("fista_oracle", again="_in_parts")[1], CellData(bench.data()))
    for split in SCORED:
        for seed in range(len(SEEDS)):
            np.testing.assert_allclose(
                parts.dense(split, seed), whole.dense(split, seed), rtol=0, atol=1e-6
            )
