"""One seed of incremental dictionary learning: its dictionary, and the last codes of each batch.

See `incremental` for what it does, and `aimed` for the one that holds a wanted number of codes.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from sae_surgery.inference.exact import exact_lasso
from sae_surgery.inference.sparse import SparseCodes
from sae_surgery.learning.code_sums import CodeSums, remainder
from sae_surgery.learning.fresh_atoms import fresh_atoms
from sae_surgery.learning.redundancy import redundancy_limit, useless_atoms

if TYPE_CHECKING:
    from sae_surgery.learning.incremental import IncrementalLearning

MAX_LOOKS = 20
"""How often a sample's correlations with all atoms are looked at in a round, at most."""

MAX_COMPARED = 4096
"""Samples that are compared with each other, at most, to find what they share.

At n = 10 000 and k = 10 two of them use a rare latent on average: not every look can find it."""


class Learner:
    """One seed: its dictionary, and the last codes of each batch."""

    def __init__(
        self,
        observations: Tensor,
        initial: Tensor,
        seed: int,
        settings: "IncrementalLearning",
        non_negative: bool,
    ) -> None:
        self.settings, self.seed, self.non_negative = settings, seed, non_negative
        self.scale = float(observations.double().square().mean().sqrt()) or 1.0
        order = np.random.default_rng(seed).permutation(len(observations))
        batches = np.array_split(order, min(settings.n_batches, len(order)))
        self.batches = [observations[rows] / self.scale for rows in batches]
        # A copy: sweeps write into it.
        self.rows = initial.T.clone(memory_format=torch.contiguous_format)
        self.limit = self._redundancy_limit()
        self.codes = [
            SparseCodes.none(len(batch), len(self.rows), batch.device) for batch in self.batches
        ]
        self.change: list[float] = []
        self.objectives: list[float] = []
        self.n_replaced, self.exhausted = 0, False
        self.converged = False

    def round(self, count: int) -> None:
        """Take a pass over all batches, number `count` from 0."""
        settings, penalty = self.settings, self.penalty(count)
        # Random numbers of a round are its own, so that there is no state to be kept.
        draws = np.random.default_rng((self.seed, count))
        self._search(count, draws)
        before = self.rows.clone()
        # Summed anew, or rounding errors of many exchanges would add up.
        sums = CodeSums(self.rows)
        for batch, codes in zip(self.batches, self.codes, strict=True):
            sums.add(1.0, codes, batch)
        for index in draws.permutation(len(self.batches)):
            batch, old = self.batches[index], self.codes[index]
            new = self._infer(batch, self.rows, old, penalty)
            sums.add(-1.0, old, batch)
            sums.add(1.0, new, batch)
            self.codes[index] = new
            sums.sweep(self.rows, settings.relaxation)
            if not self.rows.isfinite().all():
                break
        self.change.append(float((self.rows - before).norm() / before.norm()))
        if not math.isfinite(self.change[-1]):
            self.rows = before
        self.converged = self._rests(count)

    def penalty(self, count: int) -> float:
        """Return λ of a round, counted from 0."""
        return self.settings.penalty(count)

    def _search_penalty(self) -> float:
        """Return λ of the codes whose remainders fresh atoms are made of.

        At the first λ few atoms explain a sample. At the last, they would explain what they lack.
        """
        return self.penalty(0)

    def _redundancy_limit(self) -> float:
        return redundancy_limit(self.rows.cpu().numpy())

    def _search(self, count: int, draws: np.random.Generator) -> None:
        """Begin a round with a look for atoms to replace, if it is time for one."""
        self.exhausted = self.settings.exhausted(self.objectives)
        if self.settings.looks(count) and not self.exhausted:
            self.objectives.append(self._objective(self.penalty(count - 1)))
            self.n_replaced = self._replace(self.useless(), draws)

    def _rests(self, count: int) -> bool:
        """Return whether a round, counted from 0, was the last one needed."""
        searched = self.exhausted or self.settings.settles(count, self.n_replaced)
        return searched and self.change[-1] < self.settings.tolerance

    def _infer(
        self, samples: Tensor, rows: Tensor, start: SparseCodes | None, penalty: float
    ) -> SparseCodes:
        tolerance = self.settings.code_tolerance
        return exact_lasso(
            samples[None],
            rows.T[None],
            penalty,
            start,
            self.non_negative,
            tolerance=tolerance,
            max_rounds=MAX_LOOKS,
        )

    def _objective(self, penalty: float) -> float:
        """Return what a sample adds to F at the codes that are kept, on average."""
        fit, length = 0.0, 0.0
        for batch, codes in zip(self.batches, self.codes, strict=True):
            left = remainder(batch, self.rows, codes)
            fit += float(left.double().square().sum()) / 2
            length += float(codes.values.abs().sum())
        return (fit + penalty * length) / sum(map(len, self.batches))

    def _replace(self, useless: np.ndarray, draws: np.random.Generator) -> int:
        """Let atoms that are of no use (atom,) begin anew; return their number."""
        if not useless.any():
            return 0
        kept = self.rows[torch.from_numpy(~useless)]
        remainders = self._remainders(kept, draws).cpu()
        fresh = fresh_atoms(remainders, int(useless.sum()), self.non_negative)
        replaced = torch.from_numpy(np.flatnonzero(useless))[: len(fresh)].to(self.rows.device)
        self.rows[replaced] = fresh.to(self.rows.device)
        self.codes = [codes.without(replaced) for codes in self.codes]
        return len(replaced)

    def _remainders(self, kept: Tensor, draws: np.random.Generator) -> Tensor:
        """Return of samples, or of some, what atoms that are kept do not explain (sample, obs)."""
        samples = torch.cat(self.batches)
        if len(samples) > MAX_COMPARED:
            samples = samples[draws.choice(len(samples), MAX_COMPARED, replace=False)]
        if not len(kept):
            return samples
        codes = self._infer(samples, kept, None, self._search_penalty())
        return remainder(samples, kept, codes)

    def useless(self) -> np.ndarray:
        """Tell which atoms (atom,) hardly any sample shares, or are made of a few others."""
        energy, sharing = self._energies()
        return useless_atoms(self.rows.cpu().numpy(), energy, sharing, self.limit)

    def _energies(self) -> tuple[np.ndarray, np.ndarray]:
        """Return Σ z² of each atom (atom,) and how many samples share it (atom,)."""
        atoms, values = (
            torch.cat([getattr(codes, name) for codes in self.codes]).cpu().numpy()
            for name in ("atoms", "values")
        )
        energy, fourth = (np.bincount(atoms, values**power, len(self.rows)) for power in (2, 4))
        return energy, energy**2 / np.maximum(fourth, np.finfo(float).tiny)

    def usage(self) -> Tensor:
        """Return the share of the samples that use an atom (atom,)."""
        atoms = torch.cat([codes.atoms for codes in self.codes])
        n_samples = sum(map(len, self.batches))
        return torch.bincount(atoms, minlength=len(self.rows)).double() / n_samples

    def determined(self) -> bool:
        """Return whether there are more numbers observed than there are in codes and atoms."""
        n_atoms, obs_dim = self.rows.shape
        n_samples = sum(map(len, self.batches))
        n_entries = sum(len(codes.values) for codes in self.codes)
        return n_samples * obs_dim > n_entries + n_atoms * (obs_dim - 1)

    def _codes_in_parts(self) -> list[list[Tensor]]:
        """Return the tensors of each batch's codes, as they are kept."""
        return [[codes.counts, codes.atoms, codes.values] for codes in self.codes]

    def _set_codes(self, parts: Sequence[Sequence[Tensor]]) -> None:
        """Undo `_codes_in_parts`."""
        self.codes = [SparseCodes(*each, len(self.rows)) for each in parts]

    def state_dict(self) -> dict[str, Any]:
        """Return what rounds change."""
        search = {"objectives": self.objectives, "n_replaced": self.n_replaced}
        learned = {"rows": self.rows, "codes": self._codes_in_parts(), "change": self.change}
        return learned | search | {"converged": self.converged}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` has told."""
        self.rows = state_dict["rows"]
        self._set_codes(state_dict["codes"])
        self.change = list(state_dict["change"])
        self.objectives = list(state_dict["objectives"])
        self.n_replaced, self.converged = state_dict["n_replaced"], state_dict["converged"]
