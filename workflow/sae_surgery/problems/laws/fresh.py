"""Fresh samples of a synthetic problem: what the strict protocol infers codes on and scores.

Dictionary and train samples stay as they were drawn. The others are drawn anew, so many that each
latent is active `LEAST_USES` times in expectation. The workflow reads this at every start, so that
it needs nothing but the standard library.
"""

import math

FRESH_STREAM = 7
"""Tells a seed's stream of fresh samples from any other that it is given to."""
LEAST_USES = 50
"""Times that the rarest latent is active in expectation, in and out of distribution."""
LEAST_SAMPLES = 5000
"""Samples in distribution at the least, so that intervals of small cells are narrow, too."""
MOST_NUMBERS = 2**30
"""Numbers of a dense matrix of codes. Where that is too few samples, `least_uses` tells."""


def fresh_samples(n_latents: int, k: int) -> tuple[int, int]:
    """Return how many samples are drawn in distribution, all for validation, and out of it.

    In distribution the rarest latents of the paper's problem are those of the OOD pool, active in
    half of the samples with k of n − 1 others. Out of distribution there are half as many samples,
    in which they are k − 1 of n / 2: at least as often in all.
    """
    needed = math.ceil(2 * LEAST_USES * (n_latents - 1) / k)
    wanted = max(LEAST_SAMPLES, needed)
    n_samples = max(2, min(wanted, MOST_NUMBERS // n_latents))
    return n_samples, n_samples // 2
