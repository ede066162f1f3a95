"""Which latents are active together: firing rates, their dependence, trees, and pairs held out.

Supports are boolean matrices (sample, latent). The choices are those of public synthetic benchmarks
for SAEs (SynthSAEBench, arXiv 2602.14687); pairs that are never seen in training are not in them.
"""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import ndtri

MOST_RATE = 0.5
"""Rates above it are cut: a latent that is nearly always active is a bias."""

Support = NDArray[np.bool_]


def rates(shape: str, n_latents: int, k: float, exponent: float) -> NDArray[np.float64]:
    """Return the firing rate (latent,) of each latent, largest first, with a sum of about `k`.

    Parameters
    ----------
    shape
        ``uniform``; ``linear``, falling to a tenth of the first; or ``zipf``, rank^−exponent.

    Raises
    ------
    ValueError
        If so many active latents cannot be had from rates of at most `MOST_RATE`.
    """
    rank = np.arange(1, n_latents + 1)
    weights = {
        "uniform": np.ones(n_latents),
        "linear": np.linspace(1.0, 0.1, n_latents),
        "zipf": rank**-exponent,
    }[shape]
    if k > MOST_RATE * n_latents:
        raise ValueError(f"k must be at most {MOST_RATE:g} n_latents, got {k:g} of {n_latents}")
    # What is cut off the largest is spread over the others; each pass cuts at least one more.
    found = weights * (k / weights.sum())
    while (found > MOST_RATE).any():
        cut = found >= MOST_RATE
        found[cut] = MOST_RATE
        found[~cut] *= (k - MOST_RATE * cut.sum()) / found[~cut].sum()
    return found


def fixed(rate: NDArray[np.float64], k: int, n_samples: int, stream: Generator) -> Support:
    """Draw exactly `k` active latents a sample, with odds by `rate` and without replacement."""
    # The k largest of log u / rate are such a draw (Efraimidis and Spirakis, 2006).
    keys = np.log(stream.random((n_samples, len(rate)))) / rate
    chosen = np.argpartition(keys, -k, axis=1)[:, -k:]
    support = np.zeros(keys.shape, bool)
    np.put_along_axis(support, chosen, True, axis=1)
    return support


def independent(rate: NDArray[np.float64], n_samples: int, stream: Generator) -> Support:
    """Draw each latent by itself."""
    return stream.random((n_samples, len(rate))) < rate


def copula_factor(
    n_latents: int, rank: int, correlation: float, stream: Generator
) -> NDArray[np.float64]:
    """Draw the factor F (latent, rank) of a copula; F Fᵀ has `correlation` on its diagonal.

    Two latents are correlated by up to that much, of either sign, as their rows of F agree.
    """
    factor = stream.normal(size=(n_latents, rank))
    return factor * np.sqrt(correlation) / np.linalg.norm(factor, axis=1, keepdims=True)


def correlated(
    rate: NDArray[np.float64],
    factor: NDArray[np.float64],
    n_samples: int,
    stream: Generator,
) -> Support:
    """Draw latents by a Gaussian copula: active where a correlated normal is in its upper tail.

    Rates are those given; `factor` (latent, rank) is that of `copula_factor`.
    """
    common = stream.normal(size=(n_samples, factor.shape[1])) @ factor.T
    own = np.sqrt(1 - (factor**2).sum(axis=1))
    normal = common + own * stream.normal(size=(n_samples, len(rate)))
    return normal > -ndtri(rate)


def parents(n_latents: int, n_trees: int, branching: int, depth: int) -> NDArray[np.int64]:
    """Return the parent (latent,) of each latent in `n_trees` trees; −1 for roots and loose ones.

    The first latents are the roots, then come their children, then theirs, down to `depth` levels
    below the roots or until there are no latents left.
    """
    parent = np.full(n_latents, -1)
    level, start = np.arange(min(n_trees, n_latents)), min(n_trees, n_latents)
    for _ in range(depth):
        children = np.repeat(level, branching)[: n_latents - start]
        parent[start : start + len(children)] = children
        level = np.arange(start, start + len(children))
        start += len(children)
    return parent


def conditional(rate: NDArray[np.float64], parent: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the rate of each latent given that its parent is active, at most 1."""
    given = np.where(parent >= 0, rate[parent], 1.0)
    return np.minimum(1.0, rate / given)


def prune(
    support: Support,
    parent: NDArray[np.int64],
    rate: NDArray[np.float64],
    exclusive: bool,
    stream: Generator,
) -> None:
    """Leave, in place, no child active without its parent; if `exclusive`, at most one child each.

    Exclusive children are drawn anew: which of them is active with its parent, if any, is one draw
    by their rates given the parent (`conditional`), or by their shares where these exceed 1.
    """
    for above, children in _children(parent).items():
        active = support[:, children]
        if exclusive:
            edges = np.cumsum(rate[children])
            which = np.searchsorted(edges / max(1.0, edges[-1]), stream.random(len(support)))
            active = which[:, None] == np.arange(len(children))
        support[:, children] = active & support[:, [above]]


def _children(parent: NDArray[np.int64]) -> dict[int, list[int]]:
    """Return the children of each latent that has some; parents come before their children."""
    found: dict[int, list[int]] = {}
    for child, above in enumerate(parent.tolist()):
        if above >= 0:
            found.setdefault(above, []).append(child)
    return found


def held_out_pairs(
    rate: NDArray[np.float64], parent: NDArray[np.int64], n_pairs: int, stream: Generator
) -> NDArray[np.int64]:
    """Draw pairs (pair, 2) of latents that can be active together, no latent in two of them.

    Latents that fire often are drawn more often. Relatives in a tree are no pair: siblings may be
    exclusive, and a child is never without its parent.

    Raises
    ------
    ValueError
        If there are not so many pairs.
    """
    roots = _roots(parent)
    order = np.argsort(np.log(stream.random(len(rate))) / rate)[::-1]
    pairs: list[tuple[int, int]] = []
    waiting: list[int] = []
    for latent in order.tolist():
        partner = next((other for other in waiting if roots[other] != roots[latent]), None)
        if partner is None:
            waiting.append(latent)
        else:
            waiting.remove(partner)
            pairs.append((partner, latent))
        if len(pairs) == n_pairs:
            return np.array(pairs).reshape(-1, 2)
    raise ValueError(f"held_out must be at most {len(pairs)} pairs here, got {n_pairs}")


def separate(support: Support, pairs: NDArray[np.int64], keep: bool, stream: Generator) -> None:
    """Take one latent, drawn, of each held-out pair out of the samples, in place, that have both.

    With `keep`, another latent, drawn, becomes active in its place, one whose partner is not.
    """
    partner = np.full(support.shape[1], -1)
    partner[pairs[:, 0]], partner[pairs[:, 1]] = pairs[:, 1], pairs[:, 0]
    for pair in pairs:
        both = np.flatnonzero(support[:, pair].all(axis=1))
        support[both, stream.choice(pair, len(both))] = False
        for row in both if keep else ():
            paired = (partner >= 0) & support[row, partner]
            support[row, stream.choice(np.flatnonzero(~support[row] & ~paired))] = True


def unite(
    support: Support,
    pairs: NDArray[np.int64],
    parent: NDArray[np.int64],
    exclusive: bool,
    stream: Generator,
) -> None:
    """Make both latents of one held-out pair, drawn, active in each sample, in place.

    Their ancestors become active with them, and exclusive siblings inactive. As many others, drawn,
    become inactive as became active, with all below them, so that samples do not grow.
    """
    children = _children(parent)
    for sample, which in zip(support, stream.integers(len(pairs), size=len(support)), strict=True):
        n_before = sample.sum()
        wanted = [each for latent in pairs[which] for each in _lineage(latent, parent)]
        if exclusive:
            for above in parent[wanted][parent[wanted] >= 0]:
                sample[children[above]] = False
        sample[wanted] = True
        others = np.setdiff1d(np.flatnonzero(sample), wanted)
        surplus = max(0, sample.sum() - n_before)
        sample[stream.permutation(others)[:surplus]] = False
        for above, below in children.items():
            sample[below] &= sample[above]


def _lineage(latent: int, parent: NDArray[np.int64]) -> list[int]:
    """Return a latent, its parent, and so on up to its root."""
    found = [int(latent)]
    while parent[found[-1]] >= 0:
        found.append(int(parent[found[-1]]))
    return found


def _roots(parent: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the root (latent,) of the tree that each latent is in, itself if it is in none."""
    roots = np.arange(len(parent))
    for latent, above in enumerate(parent.tolist()):
        if above >= 0:
            roots[latent] = roots[above]
    return roots
