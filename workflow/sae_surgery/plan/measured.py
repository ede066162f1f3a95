"""What steps cost, as measured: the one place to change after measuring again.

Processor seconds, and megabytes on disk, on the cell n100_k10_m47_s1000 with three seeds and the
paper's budgets, without the start of Python; those of surgeries are a fifth of what they took with
five times the samples. `sae_surgery.plan.estimates` scales them to other cells.
"""

from typing import NamedTuple

from sae_surgery.problems.paper import Cell

REFERENCE = Cell.parse("n100_k10_m47_s1000")
SEEDS = 3

START_SECONDS = 2.2
"""Python with PyTorch loaded."""


class Measured(NamedTuple):
    """What one job costs on the reference cell."""

    seconds: float
    dictionaries: float
    """Megabytes that grow with observed dimensions and latents."""
    codes: float
    """Megabytes that grow with samples and latents."""


SIMULATE = Measured(0.3, 0.1, 0.7)
EVALUATE = Measured(0.12, 0.0, 0.03)
"""Scores of one method."""
ASSESS = Measured(0.4, 0.0, 0.05)
"""Scores of one patient under all conditions of a surgery."""

ENCODE = Measured(0.6, 0.0, 5.0)
"""Codes of fresh samples by a model that is there."""

FIT = {
    "dl_fista": Measured(10, 11.5, 0.4),
    "dl_lista": Measured(6, 2.9, 1.3),
    "dl_scaled": Measured(3, 0.7, 0.4),
    "fista_oracle": Measured(0.6, 0.1, 0.4),
    "linear_probe": Measured(0.7, 0.1, 3.7),
    "lista_oracle": Measured(6, 2.9, 0.8),
    "pca": Measured(0.6, 0.1, 0.5),
    "random_dictionary": Measured(0.6, 0.1, 0.7),
    "raw": Measured(0.1, 0.1, 1.8),
    "sae_jumprelu": Measured(1.6, 6.1, 2.4),
    "sae_mp": Measured(1.5, 3.0, 0.4),
    "sae_relu": Measured(1.0, 6.0, 2.1),
    "sae_topk": Measured(1.6, 6.0, 0.4),
    "saved": Measured(0.6, 0.1, 2.1),
    "softplus_adam": Measured(20, 0.1, 2.5),
}
OPERATE = {
    "frozen_decoder": Measured(0.6, 0.1, 5.3),
    "lambda_sensitivity": Measured(1.3, 0.1, 12.3),
    "learned_dictionary": Measured(1.5, 0.2, 2.5),
    "learning_dynamics": Measured(1.5, 6.0, 102),
    "penalty_sweep": Measured(4.0, 0.4, 9.0),
    "support_recovery": Measured(0.4, 0.1, 5.8),
    "warm_start_decoder": Measured(11.5, 6.0, 30),
    "warm_start_encoder": Measured(0.8, 0.1, 19.7),
}

UNMEASURED = Measured(60.0, 12.0, 3.0)
"""What a method or surgery counts as that is not above; a new one, for instance."""

SMALL_SHARE = 0.5
"""Share of the seconds on the reference cell that do not grow with the size of the dictionary."""
GAIN_OF_THREADS = 0.5
"""Share of further threads that shortens a job."""
GAIN_OF_GPU = 60.0
"""How many times one thread a GPU is, where it pays. Assumed, not yet measured."""
