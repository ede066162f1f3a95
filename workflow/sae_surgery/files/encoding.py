"""Codes of the samples that are scored, inferred by a fitted model."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from sae_surgery.files.codes import PackedCodes
from sae_surgery.files.data import CellData
from sae_surgery.machine.divergence import IN_CODES, sound_seeds
from sae_surgery.methods.base import Method, Model, take
from sae_surgery.problems.base import Problem

DENSE_CODES = 2**28
"""Numbers in the dense codes of samples that are encoded together, of all seeds."""


def encode_scored(
    method: Method,
    model: Model,
    data: CellData,
    device: torch.device,
    known: Mapping[str, Tensor] | None = None,
) -> tuple[PackedCodes | None, Mapping[int, str]]:
    """Return the codes of the scored splits: those that are `known` already, else encoded now.

    Parameters
    ----------
    known
        Codes (seed, sample, atom) by split, of the seeds that did not diverge.

    Returns
    -------
    packed
        Empty for seeds that diverged; None if all did.
    diverged
        Those of the model, and seeds whose codes are not finite.
    """
    n_seeds = len(data.seeds)
    seeds = sound_seeds(model.diverged, n_seeds)
    if not seeds:
        return None, model.diverged
    model_of_seeds, packed = model.of_seeds(seeds), []
    for split in data.scored:
        if known and split in known:
            packed.append(PackedCodes.pack(known[split].cpu().numpy()))
        else:
            observations = take(as_tensor(data.observations(split), method, device), seeds)
            packed += _encode(method, model_of_seeds, observations, data.cell)
    codes = PackedCodes.join(packed).among(seeds, n_seeds)
    lost = codes.not_finite()
    diverged = {**model.diverged, **dict.fromkeys(lost, IN_CODES)}
    return (codes.without(lost) if lost else codes) if len(diverged) < n_seeds else None, diverged


def as_tensor(values: np.ndarray, method: Method, device: torch.device) -> Tensor:
    """Return values in the precision of a method."""
    return torch.from_numpy(values).to(device, method.precision)


def _encode(
    method: Method, model: Model, observations: Tensor, cell: Problem
) -> Iterator[PackedCodes]:
    """Encode as many samples at a time as have dense codes that fit into memory."""
    size = max(1, DENSE_CODES // (len(observations) * cell.n_latents))
    for part in observations.split(size, dim=1):
        yield PackedCodes.pack(method.encode(model, part, cell).cpu().numpy())
