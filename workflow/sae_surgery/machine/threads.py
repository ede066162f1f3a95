"""Independent pieces of work, one a thread, for compiled loops and products that are small."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Piece, Result = TypeVar("Piece"), TypeVar("Result")


def each(function: Callable[[Piece], Result], pieces: Iterable[Piece]) -> list[Result]:
    """Return `function(piece)` of each piece, in order, on as many threads as PyTorch may use.

    Inside, a product has one thread, which makes its bits independent of their number.
    """
    with _one_thread_a_product() as n_threads:
        if n_threads == 1:
            return [function(piece) for piece in pieces]
        with ThreadPoolExecutor(
            n_threads, initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            return list(pool.map(function, pieces))


@contextmanager
def _one_thread_a_product() -> Iterator[int]:
    """Let products use one thread, and yield the number that they had."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield n_threads
    finally:
        torch.set_num_threads(n_threads)
