"""A composed problem, drawn: first the law itself, then as many samples of it as are wanted."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from sae_surgery.problems.base import Drawn
from sae_surgery.problems.laws import dictionaries, supports
from sae_surgery.problems.laws.choices import Choices
from sae_surgery.problems.laws.magnitudes import draw_magnitudes
from sae_surgery.problems.laws.noise import add_noise, noise_scale
from sae_surgery.problems.laws.sampling import observe, spread_norms

N_CALIBRATED = 4000
"""Samples from which the number of active latents and the signal's power are estimated."""
MOST_CALIBRATIONS = 20
CLOSE_ENOUGH = 0.02
"""Relative error of the mean number of active latents."""


@dataclass(frozen=True)
class Law:
    """What all samples of one seed share."""

    dictionary: NDArray[np.float64]
    """A (obs, latent)."""
    rate: NDArray[np.float64]
    """Firing rate (latent,), given the parent where there is one."""
    parent: NDArray[np.int64]
    """Parent (latent,); −1 without one."""
    factor: NDArray[np.float64]
    """Factor (latent, rank) of the copula."""
    pairs: NDArray[np.int64]
    """Pairs (pair, 2) of latents that are held out."""
    bias: NDArray[np.float64]
    """Constant vector (obs,)."""
    noise_scale: float = 0.0
    """Standard deviation of the noise."""


def draw_law(problem: Choices, stream: Generator) -> Law:
    """Draw the dictionary, the copula, the pairs held out and the bias; scale the noise.

    Raises
    ------
    ValueError
        If the coherence that is wanted cannot be reached, or there are too few pairs.
    """
    n = problem.n_latents
    dictionary = dictionaries.unit_columns(problem.obs_dim, n, stream)
    if problem.coherence < 1:
        dictionary = dictionaries.drive_apart(dictionary, problem.coherence)
    marginal = supports.rates(problem.rates, n, problem.k, problem.exponent)
    parent = supports.parents(n, problem.n_trees, problem.branching, problem.depth)
    bias = stream.normal(size=problem.obs_dim)
    law = Law(
        dictionary=dictionary * spread_norms(n, problem.norm_ratio),
        rate=supports.conditional(marginal, parent),
        parent=parent,
        factor=supports.copula_factor(n, problem.rank, problem.correlation, stream),
        pairs=supports.held_out_pairs(marginal, parent, problem.n_pairs, stream),
        bias=problem.bias * bias / np.linalg.norm(bias),
    )
    if problem.support != "fixed":
        law = _calibrated(problem, law, stream)
    signal = observe(law.dictionary, *_draw_codes(problem, law, N_CALIBRATED, 0, stream))
    return replace(law, noise_scale=noise_scale(signal, problem.snr_db))


def _calibrated(problem: Choices, law: Law, stream: Generator) -> Law:
    """Return the law with rates such that k latents are active on average in distribution.

    Trees and pairs held out take latents away, and what is lost depends on the rates.

    Raises
    ------
    ValueError
        If so many cannot be had.
    """
    wanted = float(problem.k)
    for _ in range(MOST_CALIBRATIONS):
        try:
            marginal = supports.rates(problem.rates, problem.n_latents, wanted, problem.exponent)
        except ValueError:
            break
        law = replace(law, rate=supports.conditional(marginal, law.parent))
        active = _draw_active(problem, law, N_CALIBRATED, 0, stream).sum(axis=1).mean()
        if abs(active - problem.k) < CLOSE_ENOUGH * problem.k:
            return law
        wanted *= problem.k / active
    raise ValueError(f"k = {problem.k} active latents cannot be had from such trees and pairs")


def draw_samples(problem: Choices, law: Law, n_id: int, n_ood: int, stream: Generator) -> Drawn:
    """Draw samples in distribution and out of it; the label is whether latent 0 is active."""
    support, magnitude = _draw_codes(problem, law, n_id, n_ood, stream)
    observations = observe(law.dictionary, support, magnitude) + law.bias
    if law.noise_scale:
        observations = add_noise(observations, law.noise_scale, stream)
    labels = ((support == 0) & (magnitude != 0)).any(axis=1)
    return Drawn(law.dictionary, support, magnitude, observations, labels)


def _draw_codes(
    problem: Choices, law: Law, n_id: int, n_ood: int, stream: Generator
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Draw support and magnitude (sample, active)."""
    active = _draw_active(problem, law, n_id, n_ood, stream)
    return _values(active, problem.magnitudes, stream)


def _draw_active(
    problem: Choices, law: Law, n_id: int, n_ood: int, stream: Generator
) -> supports.Support:
    """Draw which latents are active (sample, latent); every ood sample has a held-out pair."""
    active = _draw_support(problem, law, n_id + n_ood, stream)
    supports.separate(active[:n_id], law.pairs, problem.support == "fixed", stream)
    # Who lost its parent goes, too.
    for latent in np.flatnonzero(law.parent >= 0):
        active[:, latent] &= active[:, law.parent[latent]]
    supports.unite(active[n_id:], law.pairs, law.parent, problem.exclusive, stream)
    return active


def _draw_support(
    problem: Choices, law: Law, n_samples: int, stream: Generator
) -> supports.Support:
    """Draw which latents are active (sample, latent), whether pairs are held out or not."""
    match problem.support:
        case "fixed":
            return supports.fixed(law.rate, problem.k, n_samples, stream)
        case "independent":
            active = supports.independent(law.rate, n_samples, stream)
        case "correlated":
            active = supports.correlated(law.rate, law.factor, n_samples, stream)
    supports.prune(active, law.parent, law.rate, problem.exclusive, stream)
    return active


def _values(
    active: supports.Support, law: str, stream: Generator
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Draw the values of active latents; samples with fewer than the most are filled up with −1."""
    counts = active.sum(axis=1)
    rows, latents = np.nonzero(active)
    places = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    support = np.full((len(active), max(1, counts.max(initial=0))), -1, np.int32)
    magnitude = np.zeros(support.shape)
    support[rows, places] = latents
    magnitude[rows, places] = draw_magnitudes(law, len(rows), stream)
    return support, magnitude
