"""Autoencoders given every chance: wider codes, other penalties, other k, and the same samples.

They are trained by the paper's recipe and in as many steps, n = 500 with 10 samples for each
latent, and judged by their decoder: of a wider one each true column is paired with an atom, and
atoms that are left over do not count against it. Chance is closer with more atoms, so that a random
dictionary of each width stands beside. Seconds are those of one run.

In the workflow a model has as many atoms as the problem has latents; what needs no more is said
there (`config/longer_training.yaml`, `config/wider_kernels.yaml`).
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks.dictionary_learning import OURS, incremental
from benchmarks.harness import Comparison, Contestant
from benchmarks.problems import LAM, SAMPLES_PER_LATENT, Drawn, K, draw
from sae_surgery.learning.autoencoder import (
    Autoencoder,
    JumpRelu,
    JumpReluSettings,
    MatchingPursuit,
    Relu,
    ReluSettings,
    TopK,
    TrainingSettings,
    train_autoencoder,
)
from sae_surgery.learning.dictionary_learning import random_dictionary
from sae_surgery.metrics.measures.dictionary import dictionary_metrics

WIDTHS = (1, 2, 4)
"""Atoms for each latent."""
PENALTIES = (1e-4, 1e-3, 1e-2, 3e-2)
COUNTS = (K // 2, K, 2 * K)
KERNELS, WIDE = (0.1, 0.3), 2
"""Kernels of JumpReLU that codes fall into, and the width at which they are tried."""


def comparisons(quick: bool) -> Iterator[Comparison]:
    """Yield n = 500, or 100 with few epochs, on one thread."""
    n_latents, epochs = (100, 50) if quick else (500, 500)
    drawn = draw(n_latents, 2 * SAMPLES_PER_LATENT * n_latents)
    runs = {OURS: partial(_ours, drawn)}
    for width in WIDTHS:
        runs[f"random dictionary, {width} n atoms"] = partial(_random, width, drawn)
        for name, autoencoder in _autoencoders(epochs).items():
            runs[f"{name}, {width} n atoms"] = partial(_trained, autoencoder, width, drawn)
    for name, autoencoder in _wider_kernels(epochs).items():
        runs[f"{name}, {WIDE} n atoms"] = partial(_trained, autoencoder, WIDE, drawn)
    contestants = [Contestant(title, run, once=True) for title, run in runs.items()]
    cell = drawn.cell
    size = f"n = {cell.n_latents}, m = {cell.obs_dim}, {cell.n_train} samples"
    judge = partial(_closeness, drawn.dictionary)
    yield Comparison("fair_autoencoders", size, cell.n_latents, contestants, judge)


def _autoencoders(epochs: int) -> dict[str, Autoencoder]:
    settings = TrainingSettings(epochs=epochs)
    types = {f"TopK, k = {k}": TopK(settings, k) for k in COUNTS}
    types |= {f"MP, k = {k}": MatchingPursuit(settings, k) for k in COUNTS}
    for penalty in PENALTIES:
        types[f"ReLU, γ = {penalty:g}"] = Relu(ReluSettings(epochs=epochs, penalty=penalty))
        types[f"JumpReLU, γ = {penalty:g}"] = JumpRelu(
            JumpReluSettings(epochs=epochs, penalty=penalty)
        )
    return types


def _wider_kernels(epochs: int) -> dict[str, Autoencoder]:
    return {
        f"JumpReLU, ε = {kernel:g}, γ = {penalty:g}": JumpRelu(
            JumpReluSettings(
                epochs=epochs, penalty=penalty, bandwidth=kernel, threshold_start=kernel
            )
        )
        for kernel in KERNELS
        for penalty in (1e-3, 3e-3, 1e-2)
    }


def _trained(autoencoder: Autoencoder, width: int, drawn: Drawn) -> np.ndarray:
    """Return the decoder (obs, atom) of an autoencoder with `width` atoms for each latent."""
    n_atoms = width * drawn.cell.n_latents
    parameters, _ = train_autoencoder(autoencoder, drawn.tensor("train"), n_atoms, [0])
    return parameters.decoder[0].numpy()


def _random(width: int, drawn: Drawn) -> np.ndarray:
    cell = drawn.cell
    return random_dictionary(cell.obs_dim, width * cell.n_latents, [0])[0].numpy()


def _ours(drawn: Drawn) -> np.ndarray:
    """Return what incremental dictionary learning finds (obs, atom)."""
    looks = []
    samples = drawn.observations[drawn.rows("train")]
    incremental(samples, _random(1, drawn), LAM, 1, looks.append)
    return looks[-1]


def _closeness(truth: np.ndarray, dictionary: np.ndarray) -> dict[str, float]:
    found = dictionary_metrics(dictionary, truth)
    return {
        "1 − mean cosine": 1 - found.mean_cosine,
        "share of true columns not found": 1 - found.share_above_090,
    }
