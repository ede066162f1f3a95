"""Write real activations: hidden states of the recurrent network in the package g2p-en, as .npy.

pip download g2p-en==2.1.0 --no-deps
python examples/g2p_activations.py g2p_en-2.1.0-py3-none-any.whl FOLDER    # 10 seconds

`FOLDER/acts.npy` (sample, 256), float32, holds states of its encoder, a gated recurrent unit that
reads words letter by letter; `FOLDER/labels.npy` (sample,) the letter just read, `.` at the end of
the word. Words are those in the sources of Python's own library, so that other versions of Python
have others. A state depends on the letters so far: beginnings that words share are read once, and
no two samples are the same. The package is read as an archive, and none of its code is run.
"""

import argparse
import hashlib
import io
import re
import sys
import sysconfig
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

MEMBER = "g2p_en/checkpoint20.npz"
SHA256 = "b8af35e4596d8dd5836dfd3fe9b2ba4f97b9c311efe8879544cbcfcbd566d8c6"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
END = "."
TOKENS = {END: 2} | {letter: 3 + place for place, letter in enumerate(LETTERS)}
"""Rows of the table of embeddings; the first two are padding and unknown letters."""


def read_weights(wheel: Path) -> Mapping[str, np.ndarray]:
    """Return the network's arrays by name; raise ValueError if they are not those of 2.1.0."""
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(MEMBER)
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise ValueError(f"{MEMBER} in {wheel} must have the SHA-256 {SHA256}, got {found}")
    return np.load(io.BytesIO(content), allow_pickle=False)


def library_words() -> set[str]:
    """Return words of 3 to 15 letters in the sources of the modules of Python's library."""
    folder = Path(sysconfig.get_path("stdlib"))
    sources = (folder / f"{name}.py" for name in sys.stdlib_module_names)
    texts = (path.read_text("utf-8", "ignore") for path in sources if path.exists())
    return {word for text in texts for word in re.findall(r"\b[a-z]{3,15}\b", text.lower())}


def encoder_states(weights: Mapping[str, np.ndarray], readings: Iterable[str]) -> np.ndarray:
    """Return the encoder's state (reading, 256) after each reading, letters and perhaps an END.

    With input x and state h, r and u = σ(W x + b + V h + c), n = tanh(W x + b + r ∘ (V h + c)), and
    the new state is (1 − u) ∘ n + u ∘ h.
    """
    readings = list(readings)
    states = np.zeros((len(readings), 256), np.float32)
    for step in range(max(map(len, readings))):
        rows = np.array([row for row, reading in enumerate(readings) if len(reading) > step])
        tokens = [TOKENS[readings[row][step]] for row in rows]
        old = states[rows]
        inputs = weights["enc_emb"][tokens] @ weights["enc_w_ih"].T + weights["enc_b_ih"]
        carried = old @ weights["enc_w_hh"].T + weights["enc_b_hh"]
        gates = 1 / (1 + np.exp(-(inputs + carried)[:, :512]))
        reset, update = gates[:, :256], gates[:, 256:]
        new = np.tanh(inputs[:, 512:] + reset * carried[:, 512:])
        states[rows] = (1 - update) * new + update * old
    return states


def activations(
    wheel: Path, n_samples: int, seed: int, words: Iterable[str] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return states (sample, 256) and the letters just read (sample,), in random order."""
    words = library_words() if words is None else set(words)
    readings = {word[:end] for word in words for end in range(1, len(word) + 1)}
    readings = sorted(readings | {word + END for word in words})
    if n_samples > len(readings):
        raise ValueError(f"there are {len(readings)} different states, {n_samples} were asked for")
    chosen = np.random.default_rng(seed).choice(len(readings), n_samples, replace=False)
    readings = [readings[each] for each in chosen]
    return encoder_states(read_weights(wheel), readings), np.array([each[-1] for each in readings])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    states, letters = activations(given.wheel, given.samples, given.seed)
    given.folder.mkdir(parents=True, exist_ok=True)
    np.save(given.folder / "acts.npy", states)
    np.save(given.folder / "labels.npy", letters)
