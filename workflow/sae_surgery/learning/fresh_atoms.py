"""Directions that several samples share and the dictionary lacks, to begin atoms anew with.

The remainder of a single sample is a poor guess: it is the sum of all atoms that the sample lacks,
and an atom that begins there comes to stand for that one sample. Of two samples that both lack the
atom d, the remainders a d + … and b d + … have the inner product a b + noise; that of other pairs
is noise alone. So pairs of large inner product, completed by the sample that correlates best with
their sum, mostly share an atom, and it stands out of the sum of the three. Remainders count by
their lengths: one that is several times as long as the others crowds the pairs.

Source: cliques of correlated samples, from which Arora, Ge and Moitra, New algorithms for learning
incoherent and overcomplete dictionaries, COLT 2014, learn whole dictionaries.
"""

from collections.abc import Callable

import torch
from torch import Tensor

N_PAIRS = 4096
"""Pairs that are completed."""

LARGEST_COSINE = 0.7
"""Of two directions, so that they are not the same atom twice."""

Size = Callable[[Tensor], Tensor]


def fresh_atoms(remainders: Tensor, n_atoms: int, non_negative: bool = True) -> Tensor:
    """Return unit directions (atom, obs), those first whose samples are most alike.

    It is fewer than asked for where too few samples correlate.

    Parameters
    ----------
    remainders
        Of each sample, what atoms that are kept do not explain (sample, obs).
    n_atoms
        How many are wanted.
    non_negative
        Whether codes are; if not, a remainder counts with either sign: a and b may differ in it.
    """
    if len(remainders) < 3:
        return remainders[:0]
    size = _as_it_is if non_negative else torch.abs
    triples, signs, likeness = _triples(remainders, size)
    sums = (remainders[triples] * signs[..., None]).sum(1)
    order = likeness.argsort(descending=True, stable=True)
    order = order[likeness[order] > 0]
    return _distinct(sums[order] / sums[order].norm(dim=1, keepdim=True), n_atoms, size)


def _as_it_is(products: Tensor) -> Tensor:
    return products


def _triples(remainders: Tensor, size: Size) -> tuple[Tensor, Tensor, Tensor]:
    """Return samples (triple, 3), the signs with which they are most alike, and how alike.

    The last (triple,) is the sum of their three inner products, signs included. `size` returns by
    what inner products are compared: themselves, so that signs are 1, or without their sign.
    """
    n_samples = len(remainders)
    n_pairs = min(N_PAIRS, n_samples * (n_samples - 1) // 2)
    products = remainders @ remainders.T
    once = size(products) + torch.full_like(products, -torch.inf).tril()
    best = once.flatten().topk(n_pairs).indices
    first, second = best // n_samples, best % n_samples
    pair = products[first, second]
    turn = _sign(pair, size)
    with_both = products[first] + turn[:, None] * products[second]
    alike = size(with_both)
    each = torch.arange(len(best))
    alike[each, first] = alike[each, second] = -torch.inf
    joined, third = alike.max(1)
    signs = torch.stack([torch.ones_like(turn), turn, _sign(with_both[each, third], size)], 1)
    return torch.stack([first, second, third], 1), signs, size(pair) + joined


def _sign(products: Tensor, size: Size) -> Tensor:
    """Return what inner products are multiplied by to become their size, 1 or −1."""
    return torch.where(products == size(products), 1.0, -1.0)


def _distinct(directions: Tensor, n_atoms: int, size: Size) -> Tensor:
    """Return the first directions (atom, obs) that are not too like one before."""
    chosen = directions.new_empty(n_atoms, directions.shape[1])
    count = 0
    for direction in directions:
        if count == n_atoms:
            break
        if count == 0 or size(chosen[:count] @ direction).max() < LARGEST_COSINE:
            chosen[count] = direction
            count += 1
    return chosen[:count]
