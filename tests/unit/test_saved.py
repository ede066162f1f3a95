"""The method `saved` puts a trained SAE into tables as its library would run it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sae_surgery import loaders, methods
from sae_surgery.errors import SurgeryError
from sae_surgery.files import store
from sae_surgery.files.codes import Codes
from sae_surgery.files.data import CellData
from sae_surgery.files.models import read_fitted
from sae_surgery.machine.provenance import source_digest
from sae_surgery.plan import config
from sae_surgery.problems.activations import Activations
from sae_surgery.steps.fit import fit
from sae_surgery.steps.simulate import simulate

FIXTURES = Path(__file__).parents[1] / "fixtures" / "loaders"
CPU = torch.device("cpu")
SEEDS = (0, 1)
WHOLE = [
    str(path.parent.relative_to(FIXTURES))
    for path in sorted(FIXTURES.rglob("expected.npz"))
    if not loaders.load(path.parent / "sae").inputs.of_each_sample
]
BY_SAMPLE = ["sae_lens/standard_layer_norm", "sae_lens/standard_constant_norm", "openai/TopK"]


def activations(folder, n_rows=60):
    path = folder / "acts.npy"
    values = 3 * np.random.default_rng(1).normal(size=(n_rows, 8)) + np.linspace(-2, 4, 8)
    np.save(path, values.astype(np.float32))
    return path


def problem(folder, **given):
    path = str(activations(folder))
    return Activations(**{"observations": path, "n_latents": 16, "k": 3, "n_samples": 40} | given)


def fitted(folder, cell, settings):
    paths = [folder / name for name in ("data.nc", "model.nc", "codes.nc")]
    simulate(cell, SEEDS, paths[0])
    fit("saved", paths[0], None, settings, "cpu", 1, *paths[1:])
    data = CellData(paths[0])
    return data, *read_fitted(paths[1], data, CPU)[1:], Codes(paths[2], data)


def raw(cell, data, split):
    """Return the activations themselves (seed, sample, obs) of a split."""
    observations = torch.from_numpy(data.observations(split))
    offset, scale = data.units()
    offset, scale = (torch.from_numpy(each).float() for each in (offset, scale))
    return observations * scale[:, None, None] + offset[:, None]


@pytest.mark.parametrize("case", WHOLE)
def test_codes_are_those_of_the_sae_on_activations_in_their_own_units(tmp_path, case):
    sae = loaders.load(FIXTURES / case / "sae")
    cell = problem(tmp_path)
    data, method, model, codes = fitted(tmp_path, cell, {"path": str(FIXTURES / case / "sae")})
    originals = raw(cell, data, "val")
    for seed in range(len(SEEDS)):
        wanted = sae.encode(originals[seed])
        found = torch.from_numpy(codes.dense("val", seed)).float()
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
        assert (wanted != 0).any()
    # What the model decodes is the SAE's reconstruction, in the units of observations.
    offset, scale = (torch.from_numpy(each).float() for each in data.units())
    stacked = torch.stack([sae.encode(values) for values in originals])
    restored = torch.stack(
        [sae.reconstruct(*each) for each in zip(originals, stacked, strict=True)]
    )
    wanted = (restored - offset[:, None]) / scale[:, None, None]
    found = method.decode(model, stacked)
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)


def test_without_a_mean_or_a_scale_codes_are_the_same_to_the_bit(tmp_path):
    folder = FIXTURES / "dictionary_learning/BatchTopKSAE/sae"
    cell = problem(tmp_path, subtract_mean=False, scale=False)
    data, method, model, _ = fitted(tmp_path, cell, {"path": str(folder)})
    observations = torch.from_numpy(data.observations("val"))
    found = method.encode(model, observations, cell)
    sae = loaders.load(folder)
    assert torch.equal(found, torch.stack([sae.encode(values) for values in observations]))
    assert torch.equal(model.tensor("dictionary")[0], sae.dictionary)


@pytest.mark.parametrize("case", BY_SAMPLE)
def test_what_normalises_each_sample_is_skipped_with_a_reason(tmp_path, case):
    cell = problem(tmp_path)
    method = methods.load("saved", {"path": str(FIXTURES / case / "sae")})
    assert "normalises each sample by itself" in method.why_not(cell)


def test_what_does_not_fit_the_problem_is_skipped_with_a_reason(tmp_path):
    method = methods.load("saved", {"path": str(FIXTURES / "sae_lens/topk/sae")})
    assert method.why_not(problem(tmp_path)) is None
    assert "must be 16 at least" in method.why_not(problem(tmp_path, n_latents=15))
    np.save(tmp_path / "wide.npy", np.zeros((60, 9), np.float32))
    wide = problem(tmp_path, observations=str(tmp_path / "wide.npy"))
    assert method.why_not(wide) == "the SAE takes activations 8 wide, not 9"


def test_a_path_is_asked_for(tmp_path):
    with pytest.raises(SurgeryError, match="must name the file or folder of a trained SAE"):
        fitted(tmp_path, problem(tmp_path), {})


def test_a_file_that_is_no_sae_is_refused(tmp_path):
    with pytest.raises(SurgeryError, match="are these the activations"):
        fitted(tmp_path, problem(tmp_path), {"path": str(activations(tmp_path))})


def test_a_format_can_be_given():
    settings = {"path": str(FIXTURES / "sae_lens/topk/sae"), "format": "sparsify"}
    with pytest.raises(SurgeryError, match="no SAE of a format known"):
        methods.load("saved", settings).signed  # noqa: B018


def test_signs_are_those_of_the_sae():
    for case, signed in {"sae_lens/abstopk": True, "sae_lens/topk": False}.items():
        assert methods.load("saved", {"path": str(FIXTURES / case / "sae")}).signed == signed
    assert not methods.load("saved").signed


def test_a_saved_sae_cannot_be_trained_for_another_dictionary():
    method = methods.load("saved", {"path": "sae/"})
    with pytest.raises(SurgeryError, match="leave it out of the patients"):
        method.with_dictionary(None, None, None)


def test_an_infinite_threshold_is_kept_in_the_model_file(tmp_path):
    path = tmp_path / "sae.npz"
    threshold = np.zeros(16)
    threshold[5] = np.inf
    stream = np.random.default_rng(0)
    weights = {"dictionary": stream.normal(size=(8, 16)), "encoder_weight": np.ones((16, 8))}
    np.savez(path, threshold=threshold, **weights)
    _, _, _, codes = fitted(tmp_path, problem(tmp_path), {"path": str(path)})
    assert codes.status == "ok"
    dense = codes.dense("val", 0)
    assert (dense[:, 5] == 0).all() and (dense[:, 4] > 0).any()


def test_a_configuration_declares_it_as_a_model(tmp_path):
    folder = FIXTURES / "sae_lens/topk/sae"
    sweep = {
        "problem": "activations",
        "over": ["k"],
        "observations": str(activations(tmp_path)),
        "n_latents": [16],
        "k": [3],
        "n_samples": [40],
    }
    given = {
        "sweeps": {"own": sweep},
        "experiments": ["own"],
        "models": {"my_sae": {"method": "saved", "path": str(folder)}},
        "methods": ["my_sae", "pca"],
    }
    run = config.load(given)
    assert run.method_of("my_sae") == "saved"
    assert {path.name for path in run.files_of("my_sae")} == {
        "cfg.json",
        "sae_weights.safetensors",
    }
    without = config.load(given | {"methods": None, "models": {}})
    assert all("saved" not in without.methods_on(cell) for cell in without.cells)


def test_a_change_of_any_loader_is_a_change_of_the_method(monkeypatch):
    from sae_surgery.machine import provenance

    before = source_digest("sae_surgery.methods.saved")
    meaning = provenance._meaning
    monkeypatch.setattr(
        provenance,
        "_meaning",
        lambda module: meaning(module) + ("#" if module.endswith("loaders.openai") else ""),
    )
    assert source_digest("sae_surgery.methods.saved") != before


def test_the_model_says_which_sae_it_was(tmp_path):
    folder = str(FIXTURES / "sparsify/topk/sae")
    fitted(tmp_path, problem(tmp_path), {"path": folder})
    attributes = store.read(tmp_path / "model.nc", "model").attrs
    assert json.loads(attributes["settings"]) == {"path": folder, "format": ""}
