"""What compiled learners share outside of their loops: seeds in threads, and the rates of Adam."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from sae_surgery.machine.threads import each

FIRST_DECAY, SECOND_DECAY = 0.9, 0.999
"""β₁ and β₂"""


def each_seed(run: Callable, *arguments: Iterable) -> list[Any]:
    """Call `run` with each seed's arguments, as many seeds at once as PyTorch has threads.

    Meanwhile matrix products of numpy have one thread each: theirs would compete with the seeds',
    and their number could change the last bits.
    """
    with _libraries().limit(limits=1, user_api="blas"):
        return each(lambda given: run(*given), zip(*arguments, strict=True))


@cache
def _libraries() -> ThreadpoolController:
    """Return the libraries that have threads; to find them takes milliseconds."""
    # What compiled loops call for their products; it must be there to be found.
    import scipy.linalg.cython_blas  # noqa: F401

    return ThreadpoolController()


def adamw_rates(
    n_before: int, n_steps: int, learning_rate: float, weight_decay: float = 0.0
) -> NDArray[np.float32]:
    """Return the rates (step, 3) of `kernels.update_row` for the steps after the first `n_before`.

    They are, for learning rate η, weight decay w and step t, counted from 1: 1 − η w, η / (1 − β₁ᵗ)
    and 1 / √(1 − β₂ᵗ).
    """
    t = n_before + np.arange(1, n_steps + 1)
    rates = np.empty((n_steps, 3), np.float32)
    rates[:, 0] = 1 - learning_rate * weight_decay
    rates[:, 1] = learning_rate / (1 - FIRST_DECAY**t)
    rates[:, 2] = 1 / np.sqrt(1 - SECOND_DECAY**t)
    return rates
