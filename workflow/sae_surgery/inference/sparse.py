"""Codes without their zeros."""

from dataclasses import dataclass, replace

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

    @classmethod
    def none(cls, n_samples: int, n_atoms: int, device: torch.device) -> "SparseCodes":
        """Return the zero codes of one seed."""
        counts = torch.zeros(1, n_samples, dtype=torch.int64, device=device)
        values = torch.zeros(0, dtype=torch.float64, device=device)
        return cls(counts, counts.new_zeros(0), values, n_atoms)

    def without(self, atoms: Tensor) -> "SparseCodes":
        """Return the codes with zeros for some atoms, given by their indices."""
        return self._only(~torch.isin(self.atoms, atoms))

    def with_values(self, values: Tensor) -> "SparseCodes":
        """Return the codes with other values (entry,); entries that are zero are left out."""
        return replace(self, values=values)._only(values != 0)

    def _only(self, kept: Tensor) -> "SparseCodes":
        """Return the codes with some entries alone, of all (entry,)."""
        samples = torch.arange(self.counts.numel(), device=kept.device)
        samples = samples.repeat_interleave(self.counts.flatten())[kept]
        counts = torch.bincount(samples, minlength=self.counts.numel()).view_as(self.counts)
        return SparseCodes(counts, self.atoms[kept], self.values[kept], self.n_atoms)

    def require_match(self, observations: Tensor, dictionary: Tensor, name: str = "codes") -> None:
        """Raise ValueError unless the codes, called `name`, are for the same seeds, samples, atoms.

        Observations are (seed, sample, obs), the dictionary (seed, obs, atom).
        """
        wanted = (*observations.shape[:2], dictionary.shape[2])
        given = (*self.counts.shape, self.n_atoms)
        if given != wanted:
            raise ValueError(f"{name} must be of (seed, sample, atom) {wanted}, got {given}")

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
