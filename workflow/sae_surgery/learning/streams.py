"""The random streams of the published autoencoders, bit for bit.

A seed gives two streams: the initial encoder, and the order in which samples are visited. The
authors trained all types of autoencoder one after the other from a single shuffling `DataLoader`,
so a type's order starts where the previous type's ended.
"""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from sae_surgery.checks import require_count, require_positive_integer

LOADER_ORDER = ("relu", "topk", "jumprelu", "mp")
"""The types in the order in which they drew from the shared loader."""


def initial_encoder_weight(seeds: Sequence[int], width: int, obs_dim: int) -> Tensor:
    """Draw the Kaiming-uniform encoder weights (seed, atom, obs), float32 on the CPU.

    A fresh generator draws what `torch.manual_seed(seed)` and the global one would.
    """
    weight = torch.empty(len(seeds), width, obs_dim, dtype=torch.float32)
    for encoder, seed in zip(weight, seeds, strict=True):
        nn.init.kaiming_uniform_(encoder, a=math.sqrt(5), generator=_generator(seed))
    return weight


class BatchOrder:
    """The order in which a shuffling `DataLoader`, seeded for each seed, visits the samples.

    Parameters
    ----------
    seeds
        One stream each.
    n_samples
        Number of samples that each epoch permutes.
    skip_epochs
        Number of epochs that the loader has served before.

    Raises
    ------
    ValueError
        If `n_samples` is not positive or `skip_epochs` is negative.
    """

    def __init__(self, seeds: Sequence[int], n_samples: int, skip_epochs: int = 0) -> None:
        require_positive_integer(n_samples=n_samples)
        require_count(skip_epochs=skip_epochs)
        self._n_samples = n_samples
        self.generators = [_generator(seed) for seed in seeds]
        for _ in range(skip_epochs):
            self.next_epoch()

    def next_epoch(self) -> Tensor:
        """Return the next epoch's permutations of the samples, (seed, sample), int64 on the CPU."""
        return torch.stack([self._permutation(generator) for generator in self.generators])

    def _permutation(self, generator: Generator) -> Tensor:
        """Draw what one pass over a `DataLoader` draws, in its order (read off torch 2.13)."""
        # The base seed for worker processes is drawn even where there are none.
        torch.empty((), dtype=torch.int64).random_(generator=generator)
        order = torch.randperm(self._n_samples, generator=generator)
        # RandomSampler draws once more for the remainder after whole passes, which is empty.
        torch.randperm(self._n_samples, generator=generator)
        return order


def _generator(seed: int) -> Generator:
    return torch.Generator().manual_seed(seed)
