"""Codes of the samples that are scored, inferred by a fitted model."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from sae_surgery.codes import PackedCodes
from sae_surgery.data import SCORED, CellData
from sae_surgery.methods.base import Method, Model
from sae_surgery.problem import Cell

DENSE_CODES = 2**28
"""Numbers in the dense codes of samples that are encoded together, of all seeds."""


def encode_scored(
    method: Method,
    model: Model,
    data: CellData,
    device: torch.device,
    known: Mapping[str, Tensor] | None = None,
) -> PackedCodes:
    """Return the codes of the scored splits: those that are `known` already, else encoded now."""
    packed = []
    for split in SCORED:
        if known and split in known:
            packed.append(PackedCodes.pack(known[split].cpu().numpy()))
        else:
            observations = as_tensor(data.observations(split), method, device)
            packed += _encode(method, model, observations, data.cell)
    return PackedCodes.join(packed)


def as_tensor(values: np.ndarray, method: Method, device: torch.device) -> Tensor:
    """Return values in the precision of a method."""
    return torch.from_numpy(values).to(device, method.precision)


def _encode(
    method: Method, model: Model, observations: Tensor, cell: Cell
) -> Iterator[PackedCodes]:
    """Encode as many samples at a time as have dense codes that fit into memory."""
    size = max(1, DENSE_CODES // (len(observations) * cell.n_latents))
    for part in observations.split(size, dim=1):
        yield PackedCodes.pack(method.encode(model, part, cell).cpu().numpy())
