"""The columns of a dictionary, and the samples that are coded at a time."""

import math

import torch
from torch import Tensor

NORM_FLOOR = 1e-8
"""Columns shorter than this are divided by it instead, so that dead atoms stay zero, not NaN."""

BLOCK_ELEMENTS = {"cpu": 2**16, "cuda": 2**28}
"""Codes of one seed in a block: few enough for a core's cache, enough to keep a GPU busy."""


def column_norms(dictionary: Tensor) -> Tensor:
    """Return the floored 2-norms (seed, 1, atom) of the columns of (seed, obs, atom)."""
    return torch.linalg.vector_norm(dictionary, dim=1, keepdim=True).clamp_min(NORM_FLOOR)


def unit_columns(dictionary: Tensor) -> Tensor:
    """Return a dictionary (seed, obs, atom) with its columns divided by their 2-norms."""
    return dictionary / column_norms(dictionary)


def sample_blocks(n_samples: int, n_atoms: int, device: torch.device) -> list[slice]:
    """Cut the samples into nearly equal blocks whose codes are worked on together.

    Nothing but the sizes of one seed's problem enters, so that the blocks, and with them the last
    bits of matrix products, do not depend on how many seeds are stacked.
    """
    n_blocks = max(1, math.ceil(n_samples * n_atoms / BLOCK_ELEMENTS[device.type]))
    n_blocks = min(n_blocks, n_samples)
    edges = [n_samples * block // n_blocks for block in range(n_blocks + 1)] if n_blocks else [0]
    return [slice(start, stop) for start, stop in zip(edges, edges[1:], strict=False)]
