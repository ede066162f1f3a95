"""Steps of FISTA on the few atoms that can matter to a sample, for a processor."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from sae_surgery.inference.fista_kernels import MAX_WORKING_SET, advance

PRODUCT_AT_PEAK = 6
"""Multiplications of a matrix product in the time of one on a working set, measured."""

MAX_LOOKS = 0.5
"""Looks at all atoms, for each sample and step, above which working sets do not pay."""

LARGEST_DICTIONARY = 2**21
"""Numbers in a dictionary that stays in a processor's cache, where single samples can read it."""

LARGEST_GRAM = 2**22
"""Numbers in the products of all atoms with each other, up to which they are made at once."""


class FewAtoms:
    """One dictionary (obs, atom) and the steps to be taken with it; see `fista_kernels`."""

    def __init__(
        self, dictionary: Tensor, lam: float, bound: float, signed: bool, weights: Sequence[float]
    ) -> None:
        n_atoms = dictionary.shape[1]
        small = n_atoms**2 <= LARGEST_GRAM
        gram = dictionary.T @ dictionary if small else dictionary.new_empty(0, 0)
        self.n_products = min(dictionary.numel(), n_atoms**2 // 2)
        self.atoms = [
            each.contiguous().numpy()
            for each in (
                dictionary,
                dictionary.T,
                torch.linalg.vector_norm(dictionary, dim=0),
                gram,
            )
        ]
        kind = self.atoms[0].dtype.type
        self.penalty = kind(lam), kind(1 / bound), signed
        self.weights = np.asarray(weights, kind)

    @staticmethod
    def serves(dictionary: Tensor) -> bool:
        """Return whether a dictionary (seed, obs, atom) lies, and fits, where this pays."""
        return dictionary.device.type == "cpu" and dictionary[0].numel() <= LARGEST_DICTIONARY

    def suffice(self, codes: Tensor) -> bool:
        """Return whether codes (sample, atom) are sparse enough for working sets to be faster."""
        active = int(torch.count_nonzero(codes)) / len(codes)
        return active < MAX_WORKING_SET / 2 and PRODUCT_AT_PEAK * active**2 < self.n_products

    def advance(
        self, observations: Tensor, codes: Tensor, old: Tensor, first: int, last: int
    ) -> bool:
        """Take the steps from `first` to `last`; see `fista_kernels.advance`.

        Returns
        -------
        Whether working sets lasted long enough to be worth their making.
        """
        weights = self.weights[first:last]
        n_looks = advance(
            observations.numpy(), *self.atoms, *self.penalty, weights, codes.numpy(), old.numpy()
        )
        return n_looks <= MAX_LOOKS * len(codes) * len(weights)
