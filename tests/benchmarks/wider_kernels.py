"""JumpReLU with kernels that codes fall into.

A preactivation moves its threshold only while it is within half the kernel's width ε of it. At the
published ε of 0.001 hardly any ever is, thresholds stay where they began, nearly all codes are
active, and the penalty changes nothing (`fair_autoencoders`). Here ε, and the threshold to begin
with, are a hundred times as large and more.
"""

from collections.abc import Iterator
from functools import partial

from benchmarks.dictionary_learning import OURS
from benchmarks.fair_autoencoders import learners_of_dictionaries, ours, trained
from benchmarks.harness import Comparison
from benchmarks.problems import SAMPLES_PER_LATENT, draw
from sae_surgery.learning.autoencoder import JumpRelu, JumpReluSettings

KERNELS = (0.1, 0.3)
PENALTIES = (1e-3, 3e-3, 1e-2)
WIDTHS = (1, 2)
"""Atoms for each latent."""


def comparisons(quick: bool) -> Iterator[Comparison]:
    """Yield n = 500, or 100 with few epochs, on one thread."""
    n_latents, epochs = (100, 50) if quick else (500, 500)
    drawn = draw(n_latents, 2 * SAMPLES_PER_LATENT * n_latents)
    runs = {OURS: partial(ours, drawn)}
    for width in WIDTHS:
        for kernel in KERNELS:
            for penalty in PENALTIES:
                settings = JumpReluSettings(
                    epochs=epochs, penalty=penalty, bandwidth=kernel, threshold_start=kernel
                )
                name = f"JumpReLU, ε = {kernel:g}, γ = {penalty:g}, {width} n atoms"
                runs[name] = partial(trained, JumpRelu(settings), width, drawn)
    yield learners_of_dictionaries("wider_kernels", drawn, runs)
