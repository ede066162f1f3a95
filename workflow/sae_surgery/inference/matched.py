"""The exact lasso at a wanted mean number of active atoms.

The mean number of active atoms, L0, falls as λ grows; over a short range, nearly as a power of λ.
λ is sought on a part of the samples first, from above, where codes are few and solving is cheap,
each solution starting from the one before. From there, one or two solutions of all samples do, the
second a warm one. Between two λ tried, on either side of the wanted one, the next is found by
interpolation of log L0 over log λ.
"""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from sae_surgery.checks import require_positive
from sae_surgery.inference.exact import (
    MAX_ROUNDS,
    TOLERANCE,
    LassoSolution,
    exact_lasso,
    require_problem,
)
from sae_surgery.inference.sparse import SparseCodes

L0_TOLERANCE = 0.01
"""Default of how far mean L0 may be from the wanted one, relative to it."""

N_SOUGHT_ON = 128
"""Samples of each seed that λ is first sought on."""

FACTOR = 0.5
"""By how much λ changes at most between two trials."""

SLOPE = -1.0
"""Assumed of log L0 over log λ until two trials tell."""

LEAST_LAM = 1e-7
"""Smallest λ tried, relative to the largest at which a code is active."""

MAX_TRIALS, MAX_FIRST_TRIALS = 60, 12
"""Trials after which L0 is said to jump, and those on a part of the samples."""

Solve = Callable[[float, SparseCodes | None], LassoSolution]


@torch.no_grad()
def lasso_at_l0(
    observations: Tensor,
    dictionary: Tensor,
    l0: float,
    l0_tolerance: float = L0_TOLERANCE,
    non_negative: bool = True,
    tolerance: float = TOLERANCE,
    max_rounds: int = MAX_ROUNDS,
) -> tuple[float, LassoSolution]:
    """Find the λ at which codes have a wanted mean number of active atoms, and these codes.

    Parameters
    ----------
    observations
        Y (seed, sample, obs), in single or double precision.
    dictionary
        D (seed, obs, atom), of the same type and on the same device.
    l0
        Wanted mean number of active atoms, of all samples of all seeds.
    l0_tolerance
        How far that of the codes may be from it, relative to `l0`; half an active atom in all
        samples together is always allowed.
    non_negative, tolerance, max_rounds
        As for `exact_lasso`.

    Returns
    -------
    λ, one for all seeds, and the solution there.

    Raises
    ------
    ValueError
        If shapes or types do not go together, a number is out of range, or no λ gives codes of
        that L0: observations are zero or of too few dimensions, or L0 jumps past the wanted one.
    """
    require_problem(observations, dictionary)
    require_positive(l0=l0, l0_tolerance=l0_tolerance, tolerance=tolerance)
    solve = partial(_solve, dictionary, non_negative, max_rounds)
    every = observations.shape[1] // N_SOUGHT_ON
    highest = _highest_lam(observations, dictionary, non_negative)
    lam, slope = highest * FACTOR, SLOPE
    if every > 1:
        some = observations[:, ::every].contiguous()
        first = _Search(partial(solve, some, tolerance), l0, highest * LEAST_LAM)
        first.run(lam, slope, 3 * l0_tolerance, MAX_FIRST_TRIALS)
        lam, slope = first.proposal(slope), first.slope(slope)
    search = _Search(partial(solve, observations, tolerance), l0, highest * LEAST_LAM)
    found = search.run(lam, slope, l0_tolerance, MAX_TRIALS)
    if found is None:
        raise ValueError(
            f"no lambda has {l0:g} active atoms a sample: their number jumps past it near "
            f"lambda {search.proposal(slope):g}"
        )
    return found


def _solve(
    dictionary: Tensor,
    non_negative: bool,
    max_rounds: int,
    observations: Tensor,
    tolerance: float,
    lam: float,
    start: SparseCodes | None,
) -> LassoSolution:
    return exact_lasso(observations, dictionary, lam, start, non_negative, tolerance, max_rounds)


def _highest_lam(observations: Tensor, dictionary: Tensor, non_negative: bool) -> float:
    """Return about the largest λ at which a code is active, from a few samples.

    Raises
    ------
    ValueError
        If no atom correlates with any sample.
    """
    highest = 0.0
    for part in observations.split(N_SOUGHT_ON, 1):
        correlations = torch.bmm(part, dictionary)
        correlations = correlations if non_negative else correlations.abs()
        highest = max(highest, float(correlations.max()) if correlations.numel() else 0.0)
        if highest > 0:
            return highest
    raise ValueError("no atom correlates with any observation: all codes are zero at every lambda")


class _Search:
    """Trials of λ on one set of samples."""

    def __init__(self, solve: Solve, l0: float, least: float) -> None:
        self.solve, self.l0, self.least = solve, l0, least
        self.tried: list[tuple[float, float]] = []
        """log λ and log of L0 over the wanted one, in order of trial"""

    def run(
        self, lam: float, slope: float, within: float, max_trials: int
    ) -> tuple[float, LassoSolution] | None:
        """Try λ, from the one given, until L0 is within a relative distance of the wanted one.

        Returns
        -------
        λ and its solution, None if trials were used up.

        Raises
        ------
        ValueError
            If even the least λ has too few active atoms.
        """
        solution = None
        for _ in range(max_trials):
            solution = self.solve(lam, solution)
            n_samples = solution.counts.numel()
            mean = float(solution.counts.sum()) / n_samples
            # No active atom at all is taken for less than one in all samples.
            height = math.log(max(mean, 0.5 / n_samples) / self.l0)
            self.tried.append((math.log(lam), height))
            if abs(mean - self.l0) <= max(within * self.l0, 0.5 / n_samples):
                return lam, solution
            lam = self.proposal(slope)
            if lam < self.least:
                raise ValueError(
                    f"l0 must be one that codes can have, got {self.l0:g}: "
                    f"there are {mean:g} active atoms near lambda {self.least:g}"
                )
        return None

    def proposal(self, slope: float) -> float:
        """Return the λ to try next; `slope` is what to assume where trials do not tell."""
        above = [point for point in self.tried if point[1] >= 0]
        below = [point for point in self.tried if point[1] < 0]
        if above and below:
            # L0 is largest where λ is smallest.
            return math.exp(_between(max(above), min(below), len(self.tried)))
        at, height = self.tried[-1]
        change = -height / self.slope(slope)
        most = -math.log(FACTOR)
        return math.exp(at + min(max(change, -most), most))

    def slope(self, assumed: float) -> float:
        """Return that of log L0 over log λ by the last two trials, if it is negative."""
        if len(self.tried) < 2:
            return assumed
        (x, y), (previous_x, previous_y) = self.tried[-1], self.tried[-2]
        found = (y - previous_y) / (x - previous_x) if x != previous_x else 0.0
        return found if found < -0.1 else assumed


def _between(left: tuple[float, float], right: tuple[float, float], n_tried: int) -> float:
    """Return a log λ between two, by interpolation; each fourth time, by halving."""
    share = left[1] / (left[1] - right[1]) if n_tried % 4 else 0.5
    return left[0] + share * (right[0] - left[0])
