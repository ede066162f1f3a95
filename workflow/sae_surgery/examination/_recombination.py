"""Codes with atoms combined as they do not occur: truths out of distribution."""

import numpy as np
from scipy import sparse

N_PARTNERS = 40
MOST_TRIES = 1000
"""Pairs proposed for a place in a support before the sample ends with fewer atoms."""


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

    def share_new(self, codes: sparse.csr_array) -> float:
        """Return the share of the pairs of atoms in codes that are never active together."""
        counts = np.diff(codes.indptr)
        new = total = 0
        for start, count in zip(codes.indptr[:-1], counts, strict=True):
            left, right = np.triu_indices(count, 1)
            atoms = codes.indices[start : start + count].astype(np.int64)
            new += int((~self.together(atoms[left], atoms[right])).sum())
            total += len(left)
        return new / total if total else float("nan")


def halves(
    codes: sparse.csr_array, n_new: int, pairs: Pairs, stream: np.random.Generator
) -> sparse.csr_array:
    """Return codes of which half of the atoms are of one sample and half of another.

    Both halves are drawn at random. The other sample is, of `N_PARTNERS` drawn, the one whose half
    has with the first the largest share of pairs that are never active together, and no atom in
    common. Samples without active atoms are not drawn.

    Parameters
    ----------
    codes
        Codes (sample, atom) as they occur.
    n_new
        Samples to make.
    pairs
        Those of the codes.
    stream
        Random numbers.
    """
    active = np.flatnonzero(np.diff(codes.indptr))
    atoms, values, sizes = [], [], []
    for _ in range(n_new if len(active) else 0):
        first = _half(codes, stream.choice(active), stream, up=True)
        best, most = None, -1.0
        for other in stream.choice(active, N_PARTNERS):
            second = _half(codes, other, stream, up=False)
            left, right = codes.indices[first][:, None], codes.indices[second][None]
            if not (left == right).any():
                new = ~pairs.together(left.astype(np.int64), right.astype(np.int64))
                share = float(new.mean()) if new.size else 0.0
                if share > most:
                    best, most = second, share
        entries = first if best is None else np.concatenate([first, best])
        atoms.append(codes.indices[entries])
        values.append(codes.data[entries])
        sizes.append(len(entries))
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    parts = (
        np.concatenate([*values, np.zeros(0)]),
        np.concatenate([*atoms, np.zeros(0, np.int64)]).astype(np.int64),
        starts,
    )
    made = sparse.csr_array(parts, shape=(len(sizes), codes.shape[1]))
    made.sort_indices()
    return made


def _half(
    codes: sparse.csr_array, sample: int, stream: np.random.Generator, up: bool
) -> np.ndarray:
    """Return the places of half of a sample's entries; of an odd number, one more if `up`."""
    start, stop = codes.indptr[sample : sample + 2]
    return start + stream.permutation(stop - start)[: (stop - start + up) // 2]


def in_new_pairs(
    codes: sparse.csr_array, counts: np.ndarray, pairs: Pairs, stream: np.random.Generator
) -> sparse.csr_array:
    """Return codes of pairs of atoms of which none is ever active together.

    Atoms are proposed two by two, with their values, as they occur in the codes: frequent ones
    often. A pair is taken if the two are in no sample together and neither is in the new one yet.
    A sample ends with fewer atoms where `MOST_TRIES` pairs in a row have been refused; where an
    odd number is wanted, the last atom is taken alone.

    Parameters
    ----------
    codes
        Codes (sample, atom) as they occur.
    counts
        Active atoms wanted of each new sample, (new,).
    pairs
        Those of the codes.
    stream
        Random numbers.
    """
    n_new, most = len(counts), int(counts.max(initial=0)) + 1
    atoms = np.full((n_new, most), -1, np.int64)
    values = np.zeros((n_new, most))
    size, tries = np.zeros(n_new, np.int64), np.zeros(n_new, np.int64)
    while codes.nnz:
        unfinished = np.flatnonzero((size < counts) & (tries < MOST_TRIES))
        if not len(unfinished):
            break
        entries = stream.integers(codes.nnz, size=(len(unfinished), 2))
        proposed = codes.indices[entries].astype(np.int64)
        taken = (atoms[unfinished][:, :, None] == proposed[:, None]).any(axis=(1, 2))
        good = ~taken & ~pairs.together(proposed[:, 0], proposed[:, 1])
        for place in (0, 1):
            joined = unfinished[good]
            fits = size[joined] < counts[joined]
            joined, chosen = joined[fits], entries[good][fits, place]
            atoms[joined, size[joined]] = codes.indices[chosen]
            values[joined, size[joined]] = codes.data[chosen]
            size[joined] += 1
        tries[unfinished] += 1
        tries[unfinished[good]] = 0
    used = atoms >= 0
    starts = np.concatenate([[0], np.cumsum(used.sum(axis=1))])
    made = sparse.csr_array((values[used], atoms[used], starts), shape=(n_new, codes.shape[1]))
    made.sort_indices()
    return made
