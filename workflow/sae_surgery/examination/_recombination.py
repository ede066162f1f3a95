"""Codes in combinations of atoms that never occur together: a truth out of distribution."""

import numpy as np
from scipy import sparse

MOST_TRIES = 400
"""Atoms proposed for each place in a support before it stays empty."""


class Pairs:
    """Which pairs of atoms are active together in some sample."""

    def __init__(self, codes: sparse.csr_array) -> None:
        self.n_atoms = codes.shape[1]
        self.known = np.unique(np.concatenate([*self._each(codes), np.zeros(0, np.int64)]))

    def _each(self, codes: sparse.csr_array) -> list[np.ndarray]:
        counts = np.diff(codes.indptr)
        found = []
        for count in np.unique(counts[counts > 1]):
            samples = np.flatnonzero(counts == count)
            places = codes.indptr[samples][:, None] + np.arange(count)
            atoms = np.sort(codes.indices[places].astype(np.int64), axis=1)
            left, right = np.triu_indices(count, 1)
            found.append(np.unique(atoms[:, left] * self.n_atoms + atoms[:, right]))
        return found

    def together(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return whether atoms (…,) are active together in some sample; equal ones are."""
        pair = np.minimum(left, right) * self.n_atoms + np.maximum(left, right)
        if not len(self.known):
            return left == right
        place = np.minimum(np.searchsorted(self.known, pair), len(self.known) - 1)
        return (self.known[place] == pair) | (left == right)


def recombine(
    codes: sparse.csr_array, counts: np.ndarray, stream: np.random.Generator
) -> sparse.csr_array:
    """Return codes whose atoms, in pairs, are never active together in the codes given.

    Atoms are proposed with their values as they occur, so that frequent ones are proposed often;
    one that has occurred with an atom taken before is refused. A sample ends with fewer atoms than
    wanted where `MOST_TRIES` proposals for a place have been refused.

    Parameters
    ----------
    codes
        Codes (sample, atom) as they occur.
    counts
        Active atoms wanted of each new sample, (new,).
    stream
        Random numbers.
    """
    pairs, n_new = Pairs(codes), len(counts)
    most = int(counts.max(initial=0))
    atoms = np.full((n_new, most), -1, np.int64)
    values = np.zeros((n_new, most))
    size = np.zeros(n_new, np.int64)
    tries = np.zeros(n_new, np.int64)
    while True:
        open_ = np.flatnonzero((size < counts) & (tries < MOST_TRIES))
        if not len(open_) or not codes.nnz:
            break
        entry = stream.integers(codes.nnz, size=len(open_))
        proposed = codes.indices[entry].astype(np.int64)
        taken = atoms[open_]
        clash = pairs.together(np.maximum(taken, 0), proposed[:, None]) & (taken >= 0)
        good = ~clash.any(axis=1)
        joined = open_[good]
        atoms[joined, size[joined]] = proposed[good]
        values[joined, size[joined]] = codes.data[entry[good]]
        size[joined] += 1
        tries[open_] += 1
        tries[joined] = 0
    used = atoms >= 0
    starts = np.concatenate([[0], np.cumsum(used.sum(axis=1))])
    made = sparse.csr_array((values[used], atoms[used], starts), shape=(n_new, codes.shape[1]))
    made.sort_indices()
    return made
