"""Autoencoders given time: the best of `fair_autoencoders`, trained 4 and 16 times as long."""

from collections.abc import Iterator
from functools import partial

from benchmarks.dictionary_learning import OURS
from benchmarks.fair_autoencoders import learners_of_dictionaries, ours, trained
from benchmarks.harness import Comparison
from benchmarks.problems import SAMPLES_PER_LATENT, K, draw
from sae_surgery.learning.autoencoder import Relu, ReluSettings, TopK, TrainingSettings

EPOCHS = (500, 2000, 8000)
"""The paper's, four and sixteen times as many."""
PENALTY = 1e-2


def comparisons(quick: bool) -> Iterator[Comparison]:
    """Yield n = 500, or 100 with few epochs, on one thread."""
    n_latents, budgets = (100, (50,)) if quick else (500, EPOCHS)
    drawn = draw(n_latents, 2 * SAMPLES_PER_LATENT * n_latents)
    runs = {OURS: partial(ours, drawn)}
    for epochs in budgets:
        types = {
            f"TopK, k = {K}": TopK(TrainingSettings(epochs=epochs), K),
            f"ReLU, γ = {PENALTY:g}": Relu(ReluSettings(epochs=epochs, penalty=PENALTY)),
        }
        for name, autoencoder in types.items():
            runs[f"{name}, {epochs} epochs"] = partial(trained, autoencoder, 1, drawn)
    yield learners_of_dictionaries("longer_training", drawn, runs)
