"""What it costs to learn a dictionary as it grows: time until it comes close to the true one.

There are 10 samples for each latent, and m grows with n as everywhere: 2 k ln(n / k).
"""

from collections.abc import Iterator

from benchmarks.dictionary_learning import OURS, chased, incremental
from benchmarks.harness import Comparison
from benchmarks.problems import SAMPLES_PER_LATENT, draw


def comparisons(quick: bool) -> Iterator[Comparison]:
    """Yield n from 100 to 2000, on one thread."""
    for n_latents in (100, 200) if quick else (100, 200, 500, 1000, 2000):
        drawn = draw(n_latents, 2 * SAMPLES_PER_LATENT * n_latents)
        yield chased("dictionary_scaling", drawn, {OURS: incremental}, limit=300)
