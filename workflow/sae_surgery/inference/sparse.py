"""Codes without their zeros."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class SparseCodes:
    """The non-zero entries of codes, sample by sample and in order of atoms.

    All seeds are stacked: the entries of the first seed's samples come first.
    """

    counts: Tensor
    """Number of entries of each sample, (seed, sample), int64"""
    atoms: Tensor
    """Index of the atom of each entry, (entry,), int64"""
    values: Tensor
    """Value of each entry, (entry,), float64"""
    n_atoms: int

    @classmethod
    def pack(cls, codes: Tensor) -> "SparseCodes":
        """Pack codes (seed, sample, atom)."""
        *_, atoms = entries = codes.nonzero(as_tuple=True)
        return cls(codes.count_nonzero(dim=2), atoms, codes[entries].double(), codes.shape[2])

    def dense(self, dtype: torch.dtype = torch.float64) -> Tensor:
        """Return the codes with their zeros, (seed, sample, atom)."""
        codes = torch.zeros(
            self.counts.numel(), self.n_atoms, dtype=dtype, device=self.atoms.device
        )
        samples = torch.arange(len(codes), device=self.atoms.device)
        samples = samples.repeat_interleave(self.counts.flatten())
        codes[samples, self.atoms] = self.values.to(dtype)
        return codes.view(*self.counts.shape, self.n_atoms)

    def of_seed(self, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return counts (sample,), atoms (entry,) and values (entry,) of one seed, by position."""
        begin = int(self.counts[:seed].sum())
        entries = slice(begin, begin + int(self.counts[seed].sum()))
        return self.counts[seed], self.atoms[entries], self.values[entries]
