"""Dictionaries of the decoder's size that are learned on the same rows, at the encoder's L0."""

from dataclasses import dataclass

import numpy as np
import torch

from sae_surgery.examination._references import SMALLEST_NORM, samples_as_atoms
from sae_surgery.learning.at_l0 import learn_at_l0
from sae_surgery.machine.progress import Tracker, silent


@dataclass(frozen=True)
class Rival:
    """A dictionary, and what is to be said of how it was learned."""

    dictionary: np.ndarray
    """(obs, atom), float32."""
    remark: str


def learn_rival(
    observations: np.ndarray,
    n_atoms: int,
    l0: float,
    seed: int,
    start: np.ndarray | None = None,
    track: Tracker = silent,
) -> Rival:
    """Learn a dictionary on y (sample, obs).

    Parameters
    ----------
    l0
        Mean number of active atoms that the lasso's codes are to have.
    start
        Dictionary to start from (obs, atom), whose atoms without a length are replaced by samples;
        random if not given.
    """
    begin = None
    if start is not None:
        dead = np.linalg.norm(start, axis=0) < SMALLEST_NORM
        filled = start.copy()
        drawn = np.random.default_rng(seed)
        filled[:, dead] = samples_as_atoms(observations, int(dead.sum()), drawn)
        begin = torch.from_numpy(filled)
    y = torch.from_numpy(np.ascontiguousarray(observations))
    learned = learn_at_l0(y, n_atoms, l0, seed, begin, progress=track)
    end = "it converged" if learned.converged else "it has NOT converged, and more may be possible"
    return Rival(
        learned.dictionary.numpy().astype(np.float32),
        f"{learned.rounds} rounds, λ {learned.lam:.3g}, L0 {learned.l0:.3g} of the lasso's codes "
        f"(wanted {l0:.3g}); {end}.",
    )
