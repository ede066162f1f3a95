"""The exact solver on a GPU: all samples in step, each operation on all of them at once.

It is the method of `exact_kernels` in batched form, in double precision throughout. Sets of atoms
are padded to the largest with free slots, whose sign is zero.
"""

from typing import NamedTuple

import torch
from torch import Tensor

BLOCK_ELEMENTS = 2**26
"""Correlations held at once."""

N_JOINING = 8
"""Atoms that become active together."""

RIDGE = 1e-11
"""Added to the squared norms of active atoms, relatively, where steps are computed.

Dependent atoms then have a step too: along their dependence, until one reaches zero and leaves.
"""


class _Samples(NamedTuple):
    """The samples that still run."""

    index: Tensor
    """Which samples they are, (sample,)"""
    observations: Tensor
    """y (sample, obs)"""
    atoms: Tensor
    """Atoms by slot, (sample, slot)"""
    signs: Tensor
    """Signs of their codes, zero in a free slot, (sample, slot)"""
    values: Tensor
    """Magnitudes of their codes, (sample, slot)"""

    def where(self, chosen: Tensor) -> "_Samples":
        """Return some of the samples."""
        return _Samples(*(part[chosen] for part in self))


def solve(
    observations: Tensor,
    dictionary: Tensor,
    weights: Tensor,
    start: tuple[Tensor, Tensor, Tensor] | None,
    non_negative: bool,
    tolerance: float,
    max_rounds: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Solve the problem of one seed; arguments and result as for `exact_blocks.solve`."""
    n_samples, n_atoms = len(observations), dictionary.shape[1]
    rows = dictionary.T.double().contiguous()
    gap = torch.full((n_samples,), torch.inf, dtype=torch.float64, device=rows.device)
    n_rounds = torch.zeros(n_samples, dtype=torch.int64, device=rows.device)
    all_samples = _begin(observations.double(), rows, weights, start, non_negative)
    finished = []
    for block in all_samples.index.split(max(1, BLOCK_ELEMENTS // n_atoms)):
        samples = _settle(all_samples.where(block), rows, weights)
        for n_left in reversed(range(max_rounds)):
            residual = _residual(samples, rows)
            correlations = residual @ rows.T
            ratios = (correlations if non_negative else correlations.abs()) / weights
            before = gap[samples.index]
            reached = _relative_gap(samples, residual, correlations, ratios, weights)
            gap[samples.index] = reached
            n_rounds[samples.index] += 1
            ratios.scatter_reduce_(1, samples.atoms, (samples.signs == 0).double(), "prod")
            largest, joining = ratios.topk(min(N_JOINING, n_atoms), dim=1)
            improves = (largest[:, 0] > 1) | (reached < before / 2)
            goes_on = (reached > tolerance) & improves & (n_left > 0)
            finished.append(_entries(samples.where(~goes_on)))
            if not goes_on.any():
                break
            signs = correlations.gather(1, joining).sign() * (largest > 1)
            samples = _join(samples, joining, signs).where(goes_on)
            samples = _settle(samples, rows, weights)
    index, atoms, values = (torch.cat(parts) for parts in zip(*finished, strict=True))
    order = (index * n_atoms + atoms).argsort()
    counts = index.bincount(minlength=n_samples)
    return counts, atoms[order], values[order], gap, n_rounds


def _begin(
    observations: Tensor,
    rows: Tensor,
    weights: Tensor,
    start: tuple[Tensor, Tensor, Tensor] | None,
    non_negative: bool,
) -> _Samples:
    """Return all samples, with the entries of a start that may be active at the minimum.

    Their signs must be allowed. And the residual is never longer than y, so that an atom with
    ‖d‖ ‖y‖ below its weight, a zero one first of all, is not active: it has no step to zero either.
    """
    index = torch.arange(len(observations), device=observations.device)
    if start is None:
        nothing = observations.new_zeros(len(observations), 0)
        return _Samples(index, observations, nothing.long(), nothing, nothing)
    counts, entry_atoms, entry_values = start
    taken = torch.arange(int(counts.max()), device=counts.device) < counts[:, None]
    atoms = torch.zeros_like(taken, dtype=torch.int64)
    values = torch.zeros_like(taken, dtype=torch.float64)
    atoms[taken], values[taken] = entry_atoms, entry_values
    if non_negative:
        values.clamp_(min=0)
    lengths = torch.linalg.vector_norm(observations, dim=1, keepdim=True)
    highest = lengths * torch.linalg.vector_norm(rows, dim=1)[atoms]
    values = torch.where(highest > weights[atoms], values, 0.0)
    return _Samples(index, observations, atoms, values.sign(), values.abs())


def _residual(samples: _Samples, rows: Tensor) -> Tensor:
    """Return y − D z (sample, obs)."""
    codes = (samples.signs * samples.values)[:, None]
    return samples.observations - torch.bmm(codes, rows[samples.atoms])[:, 0]


def _relative_gap(
    samples: _Samples, residual: Tensor, correlations: Tensor, ratios: Tensor, weights: Tensor
) -> Tensor:
    """Return the duality gap relative to the objective, (sample,); see `exact`."""
    scale = 1 / ratios.amax(1).clamp(min=1)
    active = weights[samples.atoms]
    aligned = samples.signs * correlations.gather(1, samples.atoms)
    squared = residual.square().sum(1)
    terms = samples.values * (active - scale[:, None] * aligned)
    objective = squared / 2 + (samples.values * active).sum(1)
    gap = (1 - scale).square() * squared / 2 + terms.sum(1)
    return torch.where(objective == 0, 0.0, gap / objective)


def _join(samples: _Samples, atoms: Tensor, signs: Tensor) -> _Samples:
    """Return the samples with slots for more atoms, their values zero."""
    return samples._replace(
        atoms=torch.cat([samples.atoms, atoms], 1),
        signs=torch.cat([samples.signs, signs], 1),
        values=torch.cat([samples.values, torch.zeros_like(signs)], 1),
    )


def _settle(samples: _Samples, rows: Tensor, weights: Tensor) -> _Samples:
    """Move the values to the minimum on the active atoms, freeing slots that reach zero."""
    _, observations, atoms, signs, values = samples
    columns = signs[..., None] * rows[atoms]
    gram = torch.bmm(columns, columns.mT)
    active = signs != 0
    blocked = active
    while blocked.any():
        residual = observations - torch.bmm(values[:, None], columns)[:, 0]
        slack = torch.bmm(columns, residual[..., None])[..., 0] - weights[atoms]
        move = _newton_step(gram, active, slack)
        reach = torch.where(move < 0, -values / move, torch.inf)
        step = reach.amin(1, keepdim=True).clamp(max=1)
        blocked = (reach <= step) & (step < 1)
        values = torch.where(blocked, 0.0, (values + step * move).clamp(min=0))
        active = active & ~blocked
    signs = torch.where(active, signs, 0.0)
    width = int(active.sum(1).max())
    slots = active.byte().argsort(dim=1, descending=True, stable=True)[:, :width]
    moved = (part.gather(1, slots) for part in (atoms, signs, values))
    return _Samples(samples.index, observations, *moved)


def _newton_step(gram: Tensor, active: Tensor, slack: Tensor) -> Tensor:
    """Return the way to the minimum over the active values, (sample, slot), zero elsewhere."""
    system = gram * (active[:, :, None] & active[:, None, :])
    diagonal = system.diagonal(dim1=1, dim2=2)
    diagonal.copy_(torch.where(diagonal > 0, diagonal * (1 + RIDGE), 1.0))
    factor = torch.linalg.cholesky(system)
    return torch.cholesky_solve((slack * active)[..., None], factor)[..., 0]


def _entries(samples: _Samples) -> tuple[Tensor, Tensor, Tensor]:
    """Return sample, atom and value of each entry that is not zero."""
    codes = samples.signs * samples.values
    taken = codes != 0
    return samples.index[:, None].expand_as(taken)[taken], samples.atoms[taken], codes[taken]
