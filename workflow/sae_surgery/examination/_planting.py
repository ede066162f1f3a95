"""Planted truths: codes that an SAE finds, as they occur and recombined, and what they make."""

import numpy as np
from scipy import sparse

from sae_surgery.examination import HELD_OUT, LEARN
from sae_surgery.examination._codes import as_rows, from_rows, reconstruct
from sae_surgery.examination._recombination import Pairs, halves, in_new_pairs
from sae_surgery.examination.base import Subject, seeded

OWN, RECOMBINED, NEW_PAIRS = "own", "recombined", "new_pairs"
STREAMS = {RECOMBINED: 61, NEW_PAIRS: 63}
NOISE_STREAM = 67


class Planting:
    """Draws planted truths of a subject."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.codes = {
            split: as_rows(codes)
            for split, codes in subject.codes.items()
            if split in (LEARN, HELD_OUT)
        }
        self.all = sparse.csr_array(sparse.vstack(list(self.codes.values())))
        self.pairs = Pairs(self.all)
        learn = subject.observations[LEARN]
        residual = learn - reconstruct(subject.codes[LEARN], subject.dictionary)
        moment = residual.T.astype(np.float64) @ residual / len(residual)
        variances, self.axes = np.linalg.eigh(moment)
        self.variances = np.clip(variances, 0, None)

    def truths(self, split: str, most: int) -> dict[str, sparse.csr_array]:
        """Return codes (sample, atom) of at most so many samples, by how they are combined."""
        own = self.codes[split][:most]
        streams = {
            name: seeded(self.subject, stream, own.shape[0]) for name, stream in STREAMS.items()
        }
        return {
            OWN: own,
            RECOMBINED: halves(self.all, own.shape[0], self.pairs, streams[RECOMBINED]),
            NEW_PAIRS: in_new_pairs(self.all, np.diff(own.indptr), self.pairs, streams[NEW_PAIRS]),
        }

    def observe(self, codes: sparse.csr_array, noisy: bool) -> np.ndarray:
        """Return D z (sample, obs), or with gaussian noise of the residual's second moment."""
        y = reconstruct(from_rows(codes), self.subject.dictionary)
        if noisy:
            drawn = seeded(self.subject, NOISE_STREAM, codes.nnz).standard_normal(y.shape)
            y = y + (drawn * np.sqrt(self.variances)) @ self.axes.T
        return np.ascontiguousarray(y, dtype=np.float32)
