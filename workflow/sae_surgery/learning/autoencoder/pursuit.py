"""Matching-pursuit autoencoder: k greedy steps with the decoder's unit columns, no encoder."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sae_surgery.checks import require_positive_integer
from sae_surgery.inference.columns import column_norms
from sae_surgery.inference.pursuit import matching_pursuit
from sae_surgery.learning.autoencoder.base import (
    Autoencoder,
    AutoencoderParameters,
    BatchLoss,
    TrainingSettings,
    mean_square,
)


class Step(NamedTuple):
    """One greedy step, r' = r − a d, where d is an atom and a = d · r its coefficient."""

    index: Tensor
    """Which atom, (seed, sample, 1)"""
    atom: Tensor
    """d (seed, sample, obs)"""
    coefficient: Tensor
    """a (seed, sample, 1)"""
    before: Tensor
    """r (seed, sample, obs)"""
    after: Tensor
    """r' (seed, sample, obs)"""


class MatchingPursuit(Autoencoder):
    """Signed codes by matching pursuit with k steps; an atom is taken at most once a sample."""

    name = "mp"
    learns = ("decoder", "decoder_bias")

    def __init__(self, settings: TrainingSettings, k: int) -> None:
        super().__init__(settings)
        require_positive_integer(k=k)
        self.k = k

    def encode(self, parameters: AutoencoderParameters, observations: Tensor) -> Tensor:
        """Infer codes (seed, sample, atom) of observations (seed, sample, obs)."""
        centred = observations - parameters.decoder_bias[:, None]
        return matching_pursuit(centred, parameters.decoder, self.k)

    def differentiate(
        self,
        parameters: AutoencoderParameters,
        batch: Tensor,
        gradients: dict[str, Tensor],
        obs_dim: int,
    ) -> BatchLoss:
        """Evaluate the loss on a batch (seed, sample, obs) and its gradient; see `Autoencoder`.

        The reconstruction error is the last residual. With g' the gradient of the loss with respect
        to r', the one with respect to r is g = g' − (g' · d) d, and the step adds
        −(a g' + (g' · d) r) to its atom's. Which atom is taken has no gradient.
        """
        norms = column_norms(parameters.decoder)
        dictionary = parameters.decoder / norms
        steps = list(_pursue(dictionary, batch - parameters.decoder_bias[:, None], self.k))
        error = steps[-1].after
        gradient = error * (2 / (error.shape[1] * obs_dim))
        atom_gradients = torch.empty(self.k, *batch.shape, dtype=batch.dtype, device=batch.device)
        for step, atom_gradient in zip(reversed(steps), atom_gradients, strict=True):
            along = (gradient * step.atom).sum(2, keepdim=True)
            torch.mul(step.coefficient, gradient, out=atom_gradient)
            atom_gradient.addcmul_(along, step.before)
            gradient = torch.addcmul(gradient, along, step.atom, value=-1)
        torch.sum(gradient, 1, out=gradients["decoder_bias"]).neg_()
        indices = torch.stack([step.index[..., 0] for step in reversed(steps)])
        through_unit = _sum_by_atom(atom_gradients, indices, dictionary.shape[2])
        along = (through_unit * dictionary).sum(1, keepdim=True)
        torch.div(along * dictionary - through_unit, norms, out=gradients["decoder"])
        return BatchLoss(mean_square(error, obs_dim), error.new_zeros(len(error)))

    def compiled_epoch(self, learner: Any, batches: Any) -> NDArray[np.float64]:
        """Train one seed on the CPU for an epoch; see `Autoencoder`."""
        from sae_surgery.learning.autoencoder.compiled import pursuit_epoch

        return pursuit_epoch(learner, batches, self.k)


def _pursue(dictionary: Tensor, residual: Tensor, k: int) -> Iterator[Step]:
    """Explain residuals (seed, sample, obs) by unit columns (seed, obs, atom) in k greedy steps.

    The steps are those of `matching_pursuit`, which is faster but keeps no residuals.
    """
    n_seeds, _, n_atoms = dictionary.shape
    rows = dictionary.mT.flatten(0, 1)
    first_row = _first_rows(n_seeds, n_atoms, dictionary.device)[:, None]
    taken = torch.empty(*residual.shape[:2], k, dtype=torch.int64, device=residual.device)
    for count in range(k):
        correlations = torch.bmm(residual, dictionary)
        correlations.scatter_(2, taken[..., :count], 0.0)
        index = correlations.abs().argmax(2, keepdim=True)
        taken[..., count : count + 1] = index
        coefficient = correlations.gather(2, index)
        atom = rows.index_select(0, (index + first_row).flatten()).view_as(residual)
        after = torch.addcmul(residual, coefficient, atom, value=-1)
        yield Step(index, atom, coefficient, residual, after)
        residual = after


def _sum_by_atom(vectors: Tensor, indices: Tensor, n_atoms: int) -> Tensor:
    """Add up the vectors that belong to the same atom of the same seed.

    Parameters
    ----------
    vectors
        (step, seed, sample, obs)
    indices
        Which atom each belongs to, (step, seed, sample).
    n_atoms
        Number of atoms.

    Returns
    -------
    Sums, (seed, obs, atom).
    """
    n_seeds, _, obs_dim = vectors.shape[1:]
    rows = (indices + _first_rows(n_seeds, n_atoms, indices.device)).flatten()
    vectors = vectors.flatten(0, 2)
    # Unlike index_add and scatter_add, this adds in one fixed order on every device.
    sums = torch.ops.aten.embedding_dense_backward(vectors, rows, n_seeds * n_atoms, -1, False)
    return sums.view(n_seeds, n_atoms, obs_dim).mT


def _first_rows(n_seeds: int, n_atoms: int, device: torch.device) -> Tensor:
    """Return the number of each seed's first atom when all seeds' are counted on, (seed, 1)."""
    return torch.arange(0, n_seeds * n_atoms, n_atoms, device=device)[:, None]
