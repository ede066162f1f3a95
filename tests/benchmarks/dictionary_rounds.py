"""Dictionary learning by the paper's protocol, round by round, from the same start.

A round of the authors' form infers OOD codes too, with the same dictionary; ours has no use for
them before the end.
"""

from collections.abc import Iterator
from functools import partial

from torch import Tensor

from benchmarks import authors
from benchmarks.harness import Comparison, Contestant
from benchmarks.problems import LAM, draw
from sae_surgery.learning.dictionary_learning import (
    DictionaryLearning,
    learn_dictionary,
    random_dictionary,
)

N_ROUNDS = 3
ROUNDING = 1e-3
"""Relative difference of dictionaries after so many rounds that single precision explains."""


def comparisons(quick: bool) -> Iterator[Comparison]:
    """Yield n = 500 on one thread, and on two."""
    drawn = draw(500)
    cell = drawn.cell
    y, ood = drawn.tensor("val"), drawn.tensor("ood")
    start = random_dictionary(cell.obs_dim, cell.n_latents, seeds=[0])
    settings = DictionaryLearning(lam=LAM, n_iter=100, max_rounds=N_ROUNDS)

    def ours(*arguments) -> Tensor:
        return learn_dictionary(*arguments).dictionary

    reference = ours(y.double(), start.double(), settings)

    def difference(dictionary: Tensor) -> dict[str, float]:
        apart = dictionary.reshape(reference.shape).double() - reference
        return {"relative difference of the dictionary": float(apart.norm() / reference.norm())}

    published = partial(authors.learn_dictionary, y[0], ood[0], start[0], LAM, 100, N_ROUNDS)
    a_round = {"scale": 1 / N_ROUNDS, "tolerance": ROUNDING, "note": f"mean of {N_ROUNDS} rounds"}
    contestants = [
        Contestant("ours", partial(ours, y, start, settings), **a_round),
        Contestant("published", published, target=10, **a_round),
    ]
    size = f"n = {cell.n_latents}, m = {cell.obs_dim}, {cell.n_val} samples, a round"
    for threads in (1,) if quick else (1, 2):
        yield Comparison("dictionary_rounds", size, 500, contestants, difference, threads)
