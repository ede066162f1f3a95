"""Incremental dictionary learning that holds a wanted mean number of codes, L0.

Nobody knows a λ for real activations, but how many codes an encoder has is known. So λ follows
what is counted: after a round with the mean L0 of s where s* was wanted,

    λ  ←  λ (s / s*)^p

with p = 0.6, since L0 falls about as λ^−1.5 does. What is wanted grows from 1, by the same factor
each round, to `l0`: at first few atoms explain a sample, as they do where λ falls.

An objective whose λ is the same in all rounds would never rise, and here λ settles with L0. A
dictionary with more atoms than the data have directions can go on turning in directions that hardly
matter. So it has come to rest when ten rounds have lowered the objective by a small share, a round
changes atoms little, and L0 is as wanted.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from sae_surgery.learning.learner import Learner

if TYPE_CHECKING:
    from sae_surgery.learning.incremental import IncrementalLearning

FIRST_L0 = 1.0
"""Wanted in the first round."""

RESPONSE = 0.6
"""Power of L0's miss that λ is multiplied by."""

PROBES, PROBE_MISS = 12, 0.1
"""How often λ of the first round is corrected, at most, and the relative miss that ends it."""

LEAST_L0 = 0.05
"""A λ that leaves fewer codes is corrected as if it left so many."""

RESTING_ROUNDS, RESTING_GAIN, RESTING_CHANGE = 10, 3e-3, 1e-2
"""At rest, so many rounds have lowered the objective by no larger share, and no round among them
has changed the dictionary by more."""

L0_MISS = 0.02
"""Relative miss of L0 that is at rest."""


class AimedLearner(Learner):
    """One seed; see the head of this file."""

    def __init__(
        self, observations: Tensor, initial: Tensor, seed: int, settings: "IncrementalLearning"
    ) -> None:
        super().__init__(observations, initial, seed, settings)
        self.penalties = [self._probe()]
        self.course: list[float] = []

    def wanted(self, count: int) -> float:
        """Return the mean L0 that is wanted of a round, counted from 0."""
        first = min(FIRST_L0, self.settings.l0)
        share = min(1.0, count / max(1, self.settings.anneal_rounds))
        return first ** (1 - share) * self.settings.l0**share

    def penalty(self, count: int) -> float:
        """Return λ of a round that has come, counted from 0."""
        return self.penalties[count]

    def l0(self) -> float:
        """Return the mean number of codes that are not zero."""
        n_entries = sum(len(codes.values) for codes in self.codes)
        return n_entries / sum(map(len, self.batches))

    def round(self, count: int) -> None:
        """Take a pass over all batches, and correct λ."""
        super().round(count)
        self.penalties.append(
            self._corrected(self.penalties[-1], self.l0(), self.wanted(count + 1))
        )

    def _rests(self, count: int, searched: bool) -> bool:
        self.course.append(self._objective(self.penalty(count)))
        late = self.course[self.settings.anneal_rounds :]
        if not searched or len(late) <= RESTING_ROUNDS:
            return False
        settled = late[-1] > (1 - RESTING_GAIN) * late[-1 - RESTING_ROUNDS]
        still = max(self.change[-RESTING_ROUNDS:]) < RESTING_CHANGE
        return settled and still and abs(self.l0() / self.settings.l0 - 1) < L0_MISS

    def _redundancy_limit(self) -> float:
        return np.inf

    def _probe(self) -> float:
        """Return the λ that gives a batch the L0 that is wanted first."""
        penalty, wanted = 1.0, self.wanted(0)
        for _ in range(PROBES):
            codes = self._infer(self.batches[0], self.rows, None, penalty)
            found = len(codes.values) / len(self.batches[0])
            if abs(found / wanted - 1) < PROBE_MISS:
                break
            penalty = self._corrected(penalty, found, wanted)
        return penalty

    def _corrected(self, penalty: float, found: float, wanted: float) -> float:
        return penalty * (max(found, LEAST_L0) / wanted) ** RESPONSE

    def state_dict(self) -> dict[str, Any]:
        """Return what rounds change."""
        return super().state_dict() | {"penalties": self.penalties, "course": self.course}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` has told."""
        super().load_state_dict(state_dict)
        self.penalties, self.course = list(state_dict["penalties"]), list(state_dict["course"])
