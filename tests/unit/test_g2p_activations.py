"""The example that writes real activations: a recurrent network computed by NumPy alone."""

import importlib.util
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

PATH = Path(__file__).parents[2] / "examples/g2p_activations.py"
NAMES = {"w_ih": "weight_ih_l0", "w_hh": "weight_hh_l0", "b_ih": "bias_ih_l0", "b_hh": "bias_hh_l0"}


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("g2p_activations", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    unit = torch.nn.GRU(256, 256, batch_first=True)
    weights = {f"enc_{ours}": getattr(unit, name).detach().numpy() for ours, name in NAMES.items()}
    return unit, weights | {"enc_emb": np.random.default_rng(0).normal(size=(29, 256))}


def test_states_are_those_of_pytorch_s_unit(example, network):
    unit, weights = network
    states = example.encoder_states(weights, ["hello.", "hel", "a"])
    tokens = [2 + " abcdefghijklmnopqrstuvwxyz".index(letter) for letter in "hello"] + [2]
    with torch.no_grad():
        expected = unit(torch.from_numpy(weights["enc_emb"][tokens]).float()[None])[0][0].numpy()
    np.testing.assert_allclose(states[:2], expected[[5, 2]], atol=1e-5)


def test_no_state_comes_twice_and_labels_are_letters_just_read(example, network, monkeypatch):
    monkeypatch.setattr(example, "read_weights", lambda wheel: network[1])
    words = ["and", "ant", "an"]
    # a, an, and, ant; and the ends of the three words.
    states, letters = example.activations(Path("any.whl"), 7, 0, words)
    assert len(np.unique(states, axis=0)) == len(states) == 7
    assert sorted(letters) == sorted("andt...")
    with pytest.raises(ValueError, match="7 different states, 8 were asked for"):
        example.activations(Path("any.whl"), 8, 0, words)


def test_other_weights_are_refused(example, tmp_path):
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as archive:
        archive.writestr(example.MEMBER, b"something else")
    with pytest.raises(ValueError, match="must have the SHA-256"):
        example.read_weights(tmp_path / "other.whl")
