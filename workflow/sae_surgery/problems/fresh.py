"""Fresh samples of a cell: what the strict protocol infers codes on and scores.

Dictionary and train samples stay those of the published draws. The others are drawn anew
(`steps.renew`), so many that each latent is active `LEAST_USES` times in expectation. The workflow
reads this at every start, so that it needs nothing but the standard library.
"""

import math

from sae_surgery.problems.paper import Cell

LEAST_USES = 50
"""Times that the rarest latent is active in expectation, in and out of distribution."""
LEAST_SAMPLES = 5000
"""Samples in distribution at the least, so that intervals of small cells are narrow, too."""
MOST_NUMBERS = 2**30
"""Numbers of a dense matrix of codes. Where that is too few samples, `least_uses` tells."""


def fresh_cell(cell: Cell) -> Cell:
    """Return a cell with as many samples, all for validation, as are drawn of `cell`.

    In distribution the rarest latents are those of the OOD pool, active in half of the samples with
    k of n − 1 others. Out of distribution, of which there are half as many, they are active in
    k − 1 of n / 2, which is at least as often in all.
    """
    needed = math.ceil(2 * LEAST_USES * (cell.n_latents - 1) / cell.k)
    wanted = max(LEAST_SAMPLES, needed)
    n_samples = max(2, min(wanted, MOST_NUMBERS // cell.n_latents))
    return Cell(cell.n_latents, cell.k, cell.obs_dim, n_samples)
