"""Incremental dictionary learning that holds a wanted mean number of codes, L0.

Nobody knows a λ for real activations, but how many codes an encoder has is known. So λ follows
what is counted: after a round with the mean L0 of s where s* was wanted,

    λ  ←  λ (s / s*)^p

where the last two rounds that tell give p. What is wanted grows from 1, by the same factor each
round, to twice `l0`: at first few atoms explain a sample, as they do where λ falls. Then it comes
back to `l0`: at the λ of the true number of codes, if there is noise, atoms that stand for sums of
frequent latents can have the lower objective, and the larger number takes them apart.

A dictionary with more atoms than the data have directions can go on turning in directions that
hardly matter. So it rests when ten rounds have lowered the objective by a small share, none of them
has changed the atoms by much, and L0 is as wanted.

Real activations have few directions, and atoms that belong together: there three others explain
more of an atom than they do of a random direction, whatever the covariance that it is drawn with.
What tells a useless atom from a useful one is what becomes of the objective without it. So of those
more redundant than directions drawn with the data's covariance, only the worst few begin anew, and
once λ has come down they do so at rest. If at the next rest the objective is not lower by
`search_gain`, the better one of the two dictionaries stays, and learning has converged.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from sae_surgery.learning.learner import Learner
from sae_surgery.learning.redundancy import FEWEST_SAMPLES, redundancy, redundancy_limit

if TYPE_CHECKING:
    from sae_surgery.learning.incremental import IncrementalLearning

FIRST_L0 = 1.0
"""Wanted in the first round."""

PEAK_L0, ROUNDS_BACK = 2.0, 10
"""What is wanted after `anneal_rounds` is so many times `l0`, and so many rounds later `l0`."""

RESPONSE, RESPONSES, TELLING = 0.6, (0.4, 3.0), 0.01
"""Power of L0's miss that λ is multiplied by: at first, its bounds, and the least relative change
of L0 that tells it."""

SEARCH_PENALTY = 2.0
"""Remainders that fresh atoms are made of are those at so many times λ."""

PROBES, PROBE_MISS = 12, 0.1
"""How often λ of the first round is corrected, at most, and the relative miss that ends it."""

LEAST_L0 = 0.05
"""A λ that leaves fewer codes is corrected as if it left so many."""

RESTING_ROUNDS, RESTING_GAIN, RESTING_CHANGE = 10, 2e-3, 1e-2
"""At rest, so many rounds have lowered the objective by no larger share, and no round among them
has changed the dictionary by more."""

L0_MISS = 0.02
"""Relative miss of L0 that is at rest."""

MOST_REPLACED = 0.05
"""Share of the atoms that may be called redundant at once."""


class AimedLearner(Learner):
    """One seed; see the head of this file."""

    def __init__(
        self,
        observations: Tensor,
        initial: Tensor,
        seed: int,
        settings: "IncrementalLearning",
        non_negative: bool,
    ) -> None:
        super().__init__(observations, initial, seed, settings, non_negative)
        self.response = RESPONSE
        self.counted: list[float] = []
        self.penalties = [self._probe()]
        self.course: list[float] = []
        self.last_look = settings.anneal_rounds + ROUNDS_BACK
        self.before: dict[str, Any] = {}

    def wanted(self, count: int) -> float:
        """Return the mean L0 that is wanted of a round, counted from 0."""
        l0, rounds_up = self.settings.l0, self.settings.anneal_rounds
        peak = max(l0, min(PEAK_L0 * l0, len(self.rows) / 2))
        if count < rounds_up:
            begin, end, share = min(FIRST_L0, l0), peak, count / rounds_up
        else:
            begin, end, share = peak, l0, min(1.0, (count - rounds_up) / ROUNDS_BACK)
        return begin ** (1 - share) * end**share

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
        self.counted.append(max(self.l0(), LEAST_L0))
        if count > self.settings.anneal_rounds:
            self._learn_response()
        wanted = self.wanted(count + 1)
        self.penalties.append(self._corrected(self.penalties[-1], self.counted[-1], wanted))

    def _learn_response(self) -> None:
        rise = np.log(self.counted[-1] / self.counted[-2])
        fall = np.log(self.penalties[-2] / self.penalties[-1])
        if abs(rise) > TELLING and fall / rise > 0:
            self.response = float(np.clip(fall / rise, *RESPONSES))

    def _search_penalty(self) -> float:
        return min(self.penalties[0], SEARCH_PENALTY * self.penalties[-1])

    def useless(self) -> np.ndarray:
        """Tell which atoms (atom,) hardly any sample shares."""
        _, sharing = self._energies()
        return sharing < FEWEST_SAMPLES

    def _suspects(self) -> np.ndarray:
        """Tell which atoms (atom,) are to begin anew, to see whether that is better."""
        useless, suspects = self.useless(), super().useless()
        redundant = np.flatnonzero(suspects & ~useless)
        most = max(1, int(MOST_REPLACED * len(self.rows)))
        if len(redundant) > most:
            kept = redundancy(self.rows.cpu().numpy(), redundant, ~useless).argsort()[:-most]
            suspects[redundant[kept]] = False
        return suspects

    def _redundancy_limit(self) -> float:
        """Return that of random directions, as many as atoms, with the data's covariance."""
        covariance = sum(batch.T.double() @ batch.double() for batch in self.batches)
        shares, axes = torch.linalg.eigh(covariance.cpu())
        draws = np.random.default_rng(self.seed).normal(size=tuple(self.rows.shape))
        directions = torch.from_numpy(draws) * shares.clamp_min(0).sqrt() @ axes.T
        directions = torch.nn.functional.normalize(directions, dim=1)
        return redundancy_limit(directions.to(self.rows.dtype).numpy())

    def _search(self, count: int, draws: np.random.Generator) -> None:
        if count < self.settings.anneal_rounds and self.settings.looks(count):
            self.n_replaced = self._replace(self._suspects(), draws)

    def _rests(self, count: int) -> bool:
        """Return whether learning is done; at rest, look for atoms to replace."""
        self.course.append(self._objective(self.penalty(count)))
        if not self._still(count):
            return False
        if self.before:
            least = (1 - self.settings.search_gain) * self.before["objective"]
            if self.course[-1] > least:
                self._keep_the_better()
                return True
        if count >= self.settings.replace_rounds:
            return True
        self.before = self._learned() | {"objective": self.course[-1]}
        self.last_look = count
        draws = np.random.default_rng((self.seed, count, 1))
        self.n_replaced = self._replace(self._suspects(), draws)
        return self.n_replaced == 0

    def _still(self, count: int) -> bool:
        if count - self.last_look <= RESTING_ROUNDS:
            return False
        settled = self.course[-1] > (1 - RESTING_GAIN) * self.course[-1 - RESTING_ROUNDS]
        small = max(self.change[-RESTING_ROUNDS:]) < RESTING_CHANGE
        return settled and small and abs(self.l0() / self.settings.l0 - 1) < L0_MISS

    def _learned(self) -> dict[str, Any]:
        """Return copies of what is compared at two rests."""
        codes = self._codes_in_parts()
        return {"rows": self.rows.clone(), "codes": codes, "penalty": self.penalties[-1]}

    def _keep_the_better(self) -> None:
        """Take the last look back unless it lowered the objective."""
        if self.course[-1] > self.before["objective"]:
            self.rows, self.penalties[-1] = self.before["rows"], self.before["penalty"]
            self._set_codes(self.before["codes"])

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
        return penalty * (max(found, LEAST_L0) / wanted) ** self.response

    def state_dict(self) -> dict[str, Any]:
        """Return what rounds change."""
        control = {"penalties": self.penalties, "counted": self.counted, "response": self.response}
        search = {"course": self.course, "before": self.before, "last_look": self.last_look}
        return super().state_dict() | control | search

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` has told."""
        super().load_state_dict(state_dict)
        self.penalties, self.course = list(state_dict["penalties"]), list(state_dict["course"])
        self.counted, self.response = list(state_dict["counted"]), state_dict["response"]
        self.before, self.last_look = dict(state_dict["before"]), state_dict["last_look"]
