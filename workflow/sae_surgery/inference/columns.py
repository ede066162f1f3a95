"""The columns of a dictionary: their norms, and random ones."""

import torch
from torch import Tensor

NORM_FLOOR = 1e-8
"""Columns shorter than this are divided by it instead, so that dead atoms stay zero, not NaN."""


def column_norms(dictionary: Tensor) -> Tensor:
    """Return the floored 2-norms (seed, 1, atom) of the columns of (seed, obs, atom)."""
    return torch.linalg.vector_norm(dictionary, dim=1, keepdim=True).clamp_min(NORM_FLOOR)


def unit_columns(dictionary: Tensor) -> Tensor:
    """Return a dictionary (seed, obs, atom) with its columns divided by their 2-norms."""
    return dictionary / column_norms(dictionary)


def random_columns(obs_dim: int, n_atoms: int, generator: torch.Generator) -> Tensor:
    """Draw one dictionary (obs, atom) of gaussian columns scaled to unit length."""
    return unit_columns(torch.randn(1, obs_dim, n_atoms, generator=generator))[0]
