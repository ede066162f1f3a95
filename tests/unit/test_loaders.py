"""Trained SAEs of other libraries encode here as they do there; what cannot be read says why.

The files in `fixtures/loaders` and the codes beside them were written by the libraries themselves,
see `fixtures/make_loaders.py`.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sae_surgery import loaders
from sae_surgery.errors import SurgeryError
from sae_surgery.loaders._coding import Coding, Inputs
from sae_surgery.loaders.base import TrainedSae

FIXTURES = Path(__file__).parents[1] / "fixtures" / "loaders"
CASES = sorted(str(path.parent.relative_to(FIXTURES)) for path in FIXTURES.rglob("expected.npz"))
ALL = pytest.mark.parametrize("case", CASES)
CLOSE = 1e-5
"""Largest difference, relative to the largest number."""


def expected(case):
    with np.load(FIXTURES / case / "expected.npz") as file:
        return [torch.from_numpy(file[key]) for key in ("activations", "codes", "reconstruction")]


def read(case):
    return loaders.load(FIXTURES / case / "sae")


def copy(case, tmp_path):
    return Path(shutil.copytree(FIXTURES / case / "sae", tmp_path / "sae"))


def edit(path, **changes):
    config = json.loads(path.read_text(encoding="utf-8"))
    for key, value in changes.items():
        inner = config
        *above, last = key.split("__")
        for name in above:
            inner = inner[name]
        inner[last] = value
    path.write_text(json.dumps(config), encoding="utf-8")


def difference(found, wanted):
    return float((found - wanted).abs().max() / wanted.abs().max())


def refusal(path, format=None):
    """Return the error of loading, which is one line that names the path or a file in it."""
    with pytest.raises(SurgeryError) as caught:
        loaders.load(path, format)
    text = str(caught.value)
    assert "\n" not in text and str(path) in text
    return text


@ALL
def test_codes_and_reconstructions_are_the_library_s_own(case):
    activations, codes, reconstruction = expected(case)
    sae = read(case)
    found = sae.encode(activations)
    assert difference(found, codes) < CLOSE
    assert torch.equal(found != 0, codes != 0)
    assert difference(sae.reconstruct(activations, codes), reconstruction) < CLOSE


@ALL
def test_what_is_loaded_holds_to_its_contract(case):
    sae = read(case)
    activations = expected(case)[0]
    assert sae.format == case.partition("/")[0] and sae.architecture and sae.notes
    assert sae.dictionary.shape == (sae.obs_dim, sae.n_atoms) and sae.decoder_bias.ndim == 1
    assert all(each.dtype == torch.float32 for each in (sae.dictionary, sae.decoder_bias))
    assert Path(sae.source) in loaders.files(FIXTURES / case / "sae")
    inputs, restore = sae.to_inputs(activations)
    torch.testing.assert_close(restore(inputs), activations, rtol=1e-4, atol=1e-4)
    codes = sae.encode(activations)
    assert sae.signed or (codes >= 0).all()
    parts = torch.cat([sae.encode(part) for part in activations.split(5)])
    torch.testing.assert_close(parts, codes)
    reconstruction = restore(codes @ sae.dictionary.T + sae.decoder_bias)
    torch.testing.assert_close(sae.reconstruct(activations, codes), reconstruction)


@ALL
def test_every_sae_can_be_written_in_the_plain_format(case, tmp_path):
    sae, path = read(case), tmp_path / "plain.safetensors"
    save_file({name: each.clone().contiguous() for name, each in sae.tensors().items()}, path)
    plain = loaders.load(path)
    activations = expected(case)[0]
    assert plain.format == "plain"
    torch.testing.assert_close(plain.encode(activations), sae.encode(activations), rtol=0, atol=0)


def test_every_format_has_cases():
    assert {case.partition("/")[0] for case in CASES} == {*loaders.available()} - {"plain"}


def test_a_moved_sae_is_the_same():
    sae = read("sae_lens/checkpoint_whitening")
    activations = expected("sae_lens/checkpoint_whitening")[0]
    moved = sae.to(torch.device("cpu"))
    assert torch.equal(moved.encode(activations), sae.encode(activations))


def test_files_may_be_named_instead_of_folders():
    for case, file in {
        "sae_lens/topk": "sae_weights.safetensors",
        "dictionary_learning/AutoEncoder": "ae.pt",
        "sparsify/topk": "cfg.json",
        "overcomplete/TopKSAE": "sae.pt",
        "gemma_scope/1": "params.npz",
        "openai/TopK": "3.pt",
    }.items():
        folder = FIXTURES / case / "sae"
        assert loaders.load(folder / file).source == loaders.load(folder).source


def test_files_lists_all_that_is_read():
    folder = FIXTURES / "sae_lens/checkpoint_whitening/sae"
    assert {path.name for path in loaders.files(folder)} == {
        "sae_weights.safetensors",
        "cfg.json",
        "activation_scaler.json",
        "activation_whitening.safetensors",
    }


# What files promise.


@pytest.mark.parametrize(
    ("case", "promised"),
    [
        ("sae_lens/topk", {"k": 3}),
        ("sae_lens/v5_topk", {"k": 3}),
        ("sae_lens/batchtopk", {"mean_k": 3}),
        ("sae_lens/standard", {"l0": 5.25}),
        ("dictionary_learning/AutoEncoderTopK", {"k": 3}),
        ("dictionary_learning/MatryoshkaBatchTopKSAE", {"mean_k": 3}),
        ("sparsify/topk", {"k": 3, "unit_norm": 1}),
        ("sparsify/topk_norms", {"k": 3}),
        ("gemma_scope/2", {"l0": 5}),
        ("openai/TopK", {"k": 3}),
    ],
)
def test_promises_are_read(case, promised):
    assert read(case).promised == promised


def test_recorded_sparsity_is_the_sum_of_frequencies():
    codes = expected("sae_lens/standard_sparsity")[1]
    l0 = float((codes > 0).float().sum(1).mean())
    assert read("sae_lens/standard_sparsity").promised["l0"] == pytest.approx(l0, rel=1e-5)


# Traps.


def test_sparsify_s_rows_of_the_decoder_are_atoms():
    sae = read("sparsify/topk")
    saved = load_file(FIXTURES / "sparsify/topk/sae/sae.safetensors")["W_dec"]
    assert torch.equal(sae.dictionary.T, saved)
    assert torch.equal(sae.coding.input_bias, sae.decoder_bias)


def test_a_backup_without_the_factor_of_its_activations_is_refused(tmp_path):
    folder = copy("dictionary_learning/BatchTopKSAE_backup", tmp_path)
    edit(folder / "config.json", trainer__norm_factor=None)
    assert "a backup from the middle of training" in refusal(folder)


def test_a_threshold_that_was_never_set_is_noted():
    sae = read("dictionary_learning/BatchTopKSAE_threshold_never_set")
    assert any("never set" in note for note in sae.notes)


def test_a_factor_that_is_not_folded_in_is_asked_for(tmp_path):
    folder = copy("sae_lens/checkpoint_average", tmp_path)
    (folder / "activation_scaler.json").unlink()
    assert "scaling_factor" in refusal(folder)
    (folder / "activation_scaler.json").write_text('{"scaling_factor": 1}', encoding="utf-8")
    activations = expected("sae_lens/checkpoint_average")[0]
    inputs, _ = loaders.load(folder).to_inputs(activations)
    assert torch.equal(inputs, activations)


def test_whitening_that_is_not_there_is_asked_for(tmp_path):
    folder = copy("sae_lens/checkpoint_whitening", tmp_path)
    (folder / "activation_whitening.safetensors").unlink()
    assert "activation_whitening.safetensors" in refusal(folder)


def test_a_state_dict_of_overcomplete_that_does_not_say_its_class_is_refused(tmp_path):
    folder = copy("overcomplete/TopKSAE", tmp_path)
    (folder / "config.json").unlink()
    assert '{"class": "TopKSAE", "top_k": 16}' in refusal(folder)


def test_the_threshold_that_a_state_dict_lacks_is_asked_for(tmp_path):
    folder = copy("overcomplete/BatchTopKSAE", tmp_path)
    (folder / "config.json").write_text('{"class": "BatchTopKSAE"}', encoding="utf-8")
    assert "running_threshold" in refusal(folder)


def test_a_normalisation_that_is_not_the_default_is_asked_for(tmp_path):
    folder = copy("overcomplete/SAE_l1", tmp_path)
    (folder / "config.json").write_text('{"class": "SAE"}', encoding="utf-8")
    assert "normalization" in refusal(folder)


def test_an_atom_is_active_where_it_is_exactly_at_overcomplete_s_threshold():
    sae = read("overcomplete/JumpSAE")
    path = FIXTURES / "overcomplete/JumpSAE/sae/sae.pt"
    threshold = torch.load(path, weights_only=True)["thresholds"].exp()
    at = Coding(torch.eye(16), threshold=sae.coding.threshold).encode(threshold[None], None)
    assert torch.equal(at[0], threshold)


def test_checkpoints_of_dictionary_learning_use_the_configuration_above(tmp_path):
    folder = copy("dictionary_learning/AutoEncoderTopK", tmp_path)
    (folder / "checkpoints").mkdir()
    checkpoint = folder / "checkpoints" / "ae_100.pt"
    (folder / "ae.pt").rename(checkpoint)
    activations, codes, _ = expected("dictionary_learning/AutoEncoderTopK")
    assert difference(loaders.load(checkpoint).encode(activations), codes) < CLOSE


def test_a_release_of_gemma_scope_that_is_called_transcoders_is_refused(tmp_path):
    (tmp_path / "gemma-scope-2b-pt-transcoders").mkdir()
    folder = copy("gemma_scope/1", tmp_path / "gemma-scope-2b-pt-transcoders")
    assert "rename the folder if that is wrong" in refusal(folder)


def test_a_module_that_was_compiled_is_read_as_itself(tmp_path):
    folder = copy("dictionary_learning/AutoEncoderTopK", tmp_path)
    held = torch.load(folder / "ae.pt", weights_only=True)
    torch.save({f"_orig_mod.{name}": each for name, each in held.items()}, folder / "ae.pt")
    activations, codes, _ = expected("dictionary_learning/AutoEncoderTopK")
    assert difference(loaders.load(folder).encode(activations), codes) < CLOSE


def test_a_number_may_be_a_tensor(tmp_path):
    path = copy("openai/TopK", tmp_path) / "3.pt"
    state = torch.load(path, weights_only=True)
    state["activation_state_dict"]["k"] = torch.tensor(3)
    torch.save(state, path)
    activations, codes, _ = expected("openai/TopK")
    assert difference(loaders.load(path).encode(activations), codes) < CLOSE


def test_embeddings_of_gemma_scope_are_taken_times_the_root_of_their_width(tmp_path):
    folder = copy("gemma_scope/1", tmp_path).rename(tmp_path / "embedding")
    activations, codes, _ = expected("gemma_scope/1")
    sae = loaders.load(folder)
    assert difference(sae.encode(activations * 8**0.5), codes) < CLOSE


def test_a_pursuit_stops_where_nothing_is_gained():
    dictionary = torch.eye(2)
    coding = Coding(pursuit_iterations=50, pursuit_stops_on_repetition=1)
    codes = coding.encode(torch.tensor([[3.0, 2.0], [-1.0, -2.0]]), dictionary)
    assert torch.equal(codes, torch.tensor([[3.0, 2.0], [0.0, 0.0]]))


# Refusals.


@pytest.mark.parametrize("architecture", ["transcoder", "skip_transcoder", "jumprelu_transcoder"])
def test_transcoders_of_saelens_are_refused(tmp_path, architecture):
    folder = copy("sae_lens/standard", tmp_path)
    edit(folder / "cfg.json", architecture=architecture)
    assert "another space" in refusal(folder)


@pytest.mark.parametrize("key", ["transcode", "skip_connection"])
def test_transcoders_of_sparsify_are_refused(tmp_path, key):
    folder = copy("sparsify/topk", tmp_path)
    edit(folder / "cfg.json", **{key: True})
    assert "transcoder" in refusal(folder)


def test_transcoders_of_gemma_scope_are_refused(tmp_path):
    folder = copy("gemma_scope/2", tmp_path)
    edit(folder / "config.json", hf_hook_point_out="model.layers.3.mlp.output")
    assert "another space" in refusal(folder)
    edit(folder / "config.json", hf_hook_point_out=None)
    loaders.load(folder)
    held = load_file(folder / "params.safetensors")
    held["affine_skip_connection"] = torch.zeros(8, 8)
    save_file(held, folder / "params.safetensors")
    assert "another space" in refusal(folder)


@pytest.mark.parametrize(
    ("case", "file", "change"),
    [
        ("sae_lens/standard", "cfg.json", {"architecture": "temporal"}),
        ("sae_lens/v5_standard", "cfg.json", {"activation_fn_str": "tanh-relu"}),
        ("sae_lens/standard", "cfg.json", {"normalize_activations": "batch_norm"}),
        ("dictionary_learning/AutoEncoder", "config.json", {"trainer__dict_class": "CrossCoder"}),
        ("sparsify/topk", "cfg.json", {"activation": "softmax"}),
        ("overcomplete/SAE", "config.json", {"class": "QSAE"}),
        ("overcomplete/SAE_l1", "config.json", {"normalization": "l3"}),
        ("gemma_scope/2", "config.json", {"architecture": "relu"}),
    ],
)
def test_what_is_unknown_is_refused_with_what_is_known(tmp_path, case, file, change):
    folder = copy(case, tmp_path)
    edit(folder / file, **change)
    text = refusal(folder)
    assert "is unknown; known" in text and repr(next(iter(change.values()))) in text


def test_an_unknown_activation_of_openai_is_refused(tmp_path):
    path = copy("openai/ReLU", tmp_path) / "3.pt"
    torch.save(torch.load(path, weights_only=True) | {"activation": "GELU"}, path)
    assert "'GELU'" in refusal(path)


def test_checkpoints_of_batch_top_k_in_training_are_refused(tmp_path):
    folder = copy("sae_lens/batchtopk", tmp_path)
    edit(folder / "cfg.json", architecture="batchtopk")
    assert "save_inference_model" in refusal(folder)


def test_deeper_encoders_are_refused(tmp_path):
    path = copy("overcomplete/TopKSAE", tmp_path) / "sae.pt"
    state = torch.load(path, weights_only=True)
    torch.save(state | {"encoder.mlp_blocks.0.0.weight": torch.zeros(8, 8)}, path)
    assert "not one linear layer" in refusal(path)


def test_pickled_modules_are_refused_and_not_run(tmp_path, capsys):
    path = tmp_path / "sae.pt"
    torch.save(_Loud(), path)
    assert "state_dict()" in refusal(path)
    torch.save(torch.nn.Linear(2, 3), path)
    assert "torch.nn.modules.linear.Linear" in refusal(path)
    torch.save({"dictionary._weights": torch.eye(3), "more": _Loud()}, path)
    assert "could run code" in refusal(path)
    assert capsys.readouterr().out == ""


class _Loud:
    def __reduce__(self):
        return print, ("This code was run.",)


def test_pickles_in_archives_of_numpy_are_refused(tmp_path, capsys):
    path = tmp_path / "sae.npz"
    np.savez(path, dictionary=np.array([_Loud()], dtype=object))
    assert "not a readable .npz file" in refusal(path)
    assert capsys.readouterr().out == ""


def test_activations_in_the_place_of_an_sae_are_refused(tmp_path):
    matrix = np.zeros((20, 8), np.float32)
    np.save(tmp_path / "acts.npy", matrix)
    np.savez(tmp_path / "acts.npz", acts=matrix)
    torch.save(torch.from_numpy(matrix), tmp_path / "acts.pt")
    save_file({"acts": torch.from_numpy(matrix)}, tmp_path / "acts.safetensors")
    for suffix in ("npy", "npz", "pt", "safetensors"):
        assert "are these the activations?" in refusal(tmp_path / f"acts.{suffix}")


def test_what_is_no_sae_is_refused_with_what_is_known(tmp_path):
    assert "no such file" in refusal(tmp_path / "nothing")
    assert "a folder with ae.pt and config.json" in refusal(tmp_path)
    (tmp_path / "ae.txt").write_text("none", encoding="utf-8")
    assert "no SAE of a format known" in refusal(tmp_path / "ae.txt")
    np.savez(tmp_path / "other.npz", left=np.eye(2), right=np.eye(2))
    assert "it holds left, right" in refusal(tmp_path / "other.npz")


def test_a_folder_of_saes_names_one_of_them():
    text = refusal(FIXTURES / "sparsify" / "topk")
    assert "holds 1 SAEs" in text and str(FIXTURES / "sparsify" / "topk" / "sae") in text


def test_a_format_that_does_not_fit_or_is_unknown_is_refused():
    folder = FIXTURES / "sae_lens/topk/sae"
    assert loaders.load(folder, "sae_lens").format == "sae_lens"
    assert "no SAE of a format known" in refusal(folder, "sparsify")
    with pytest.raises(SurgeryError, match="'saelens' is unknown; did you mean 'sae_lens'"):
        loaders.load(folder, "saelens")


def test_damaged_files_are_refused(tmp_path):
    for name in ("one.npz", "one.pt", "one.safetensors"):
        (tmp_path / name).write_bytes(b"no tensors")
        assert "not a readable" in refusal(tmp_path / name)
    folder = copy("sae_lens/topk", tmp_path)
    (folder / "cfg.json").write_text("{", encoding="utf-8")
    assert "cfg.json" in refusal(folder)
    (folder / "cfg.json").unlink()
    assert "cfg.json: there is no such file" in refusal(folder)


def test_missing_tensors_are_named(tmp_path):
    path = copy("sae_lens/jumprelu", tmp_path) / "sae_weights.safetensors"
    held = load_file(path)
    save_file({name: each for name, each in held.items() if name != "threshold"}, path)
    assert "threshold missing" in refusal(path)


def test_a_k_that_contradicts_itself_is_refused(tmp_path):
    folder = copy("dictionary_learning/AutoEncoderTopK", tmp_path)
    edit(folder / "config.json", trainer__k=5)
    assert "k is 3, but 5" in refusal(folder)


@pytest.mark.parametrize("k", [None, "three", 0, 17])
def test_a_k_that_cannot_be_is_refused(tmp_path, k):
    folder = copy("sparsify/topk", tmp_path)
    edit(folder / "cfg.json", k=k)
    assert "k must be" in refusal(folder)


def test_groups_that_do_not_divide_the_atoms_are_refused(tmp_path):
    folder = copy("sparsify/groupmax", tmp_path)
    edit(folder / "cfg.json", k=5)
    assert "cannot be divided" in refusal(folder)


def write_plain(tmp_path, **changes):
    stream = np.random.default_rng(0)
    held = {
        "dictionary": stream.normal(size=(8, 16)),
        "encoder_weight": stream.normal(size=(16, 8)),
        "encoder_bias": stream.normal(size=16),
    }
    held |= changes
    path = tmp_path / "plain.npz"
    np.savez(path, **{name: each for name, each in held.items() if each is not None})
    return path


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"dictionary": np.zeros((8, 0))}, "a dictionary .dimension, atom. is needed"),
        ({"dictionary": np.zeros(8)}, "a dictionary .dimension, atom. is needed"),
        ({"encoder_weight": np.zeros((8, 16))}, r"encoder_weight must have shape \(16, 8\)"),
        ({"encoder_bias": np.full(16, np.nan)}, "encoder_bias holds values that are not finite"),
        ({"dictionary": np.full((8, 16), np.inf)}, "dictionary holds values that are not finite"),
        ({"encoder_weight": None}, "encoder_weight missing"),
        ({"encoder_wieght": np.zeros(1)}, "did you mean 'encoder_weight'"),
        ({"k": 0}, "k must be from 1 to 16"),
        ({"k": 3, "threshold": np.zeros(16)}, "topk and jumprelu"),
        ({"magnitude_scale": np.zeros(16)}, "magnitude_bias missing"),
        ({"whitening": np.eye(8)}, "unwhitening missing"),
    ],
)
def test_plain_files_that_cannot_be_are_refused(tmp_path, changes, text):
    with pytest.raises(SurgeryError, match=text):
        loaders.load(write_plain(tmp_path, **changes))


def test_an_infinite_threshold_is_an_atom_that_is_never_active(tmp_path):
    threshold = np.zeros(16)
    threshold[3] = np.inf
    codes = loaders.load(write_plain(tmp_path, threshold=threshold)).encode(torch.randn(50, 8))
    assert (codes[:, 3] == 0).all() and (codes > 0).any()


def test_half_precision_is_read_as_float32(tmp_path):
    path = write_plain(tmp_path, encoder_bias=np.ones(16, np.float16))
    assert loaders.load(path).coding.encoder_bias.dtype == torch.float32


def test_activations_that_do_not_fit_are_refused():
    sae = read("sae_lens/topk")
    for wrong, text in (
        (torch.zeros(5, 9), r"takes activations \(sample, 8\), got shape \(5, 9\)"),
        (torch.zeros(0, 8), "no activations"),
        (torch.full((2, 8), torch.nan), "2 of 2 activations hold values that are not finite"),
    ):
        with pytest.raises(SurgeryError, match=text):
            sae.encode(wrong)


def test_what_is_done_to_inputs_is_undone():
    activations = torch.randn(6, 4) + 1
    for inputs in (Inputs(), Inputs(input_scale=3.0), Inputs(input_norm=2.0)):
        made, restore = inputs.apply(activations)
        torch.testing.assert_close(restore(made), activations)
    made, _ = Inputs(input_norm=2.0).apply(activations)
    torch.testing.assert_close(made.norm(dim=1), torch.full((6,), 2.0))


def test_what_is_loaded_cannot_be_changed():
    sae = read("sae_lens/topk")
    assert isinstance(sae, TrainedSae)
    with pytest.raises(AttributeError):
        sae.dictionary = None


# The page.


def test_the_page_names_every_format_architecture_and_plain_name():
    page = (Path(__file__).parents[2] / "docs" / "loading.md").read_text(encoding="utf-8")
    saes = [read(case) for case in CASES]
    architectures = {sae.architecture for sae in saes}
    names = {*Coding.names(), *Inputs.names(), "dictionary", "decoder_bias", "promised_l0"}
    for word in (*loaders.available(), *architectures, *names):
        assert f"`{word}`" in page, word
