"""How close a learned dictionary is to the true one, atom by atom."""

from typing import NamedTuple

import numpy as np

from sae_surgery.metrics.measures.matching import SMALLEST_NORM, cosine, match

CLOSE = 0.9
"""|Cosine| above which an atom counts as found."""


class DictionaryMetrics(NamedTuple):
    """Closeness of matched pairs of atom and latent, and the matching itself."""

    mean_cosine: float
    """Mean |cosine|."""
    mean_signed_cosine: float
    """Mean cosine: an atom of the wrong sign counts against."""
    mean_angular_error: float
    """Mean angle between the lines that the two columns span, or the columns, in radians."""
    mean_norm_ratio: float
    """Mean norm of the atom over norm of the latent's column."""
    share_above_090: float
    """Share of pairs with |cosine| above 0.9."""
    share_wrong_sign: float
    """Share of pairs with negative cosine, useless to non-negative codes."""
    uniqueness: float
    """Share of atoms that are the only one closest to their closest latent."""
    rows: np.ndarray
    """Latent of each pair (pair,)."""
    columns: np.ndarray
    """Atom of each pair (pair,)."""


def dictionary_metrics(
    dictionary: np.ndarray, truth: np.ndarray, signed: bool = False, either_sign: bool = False
) -> DictionaryMetrics:
    """Match atoms to latents by |cosine|, one to one, and say how close the pairs are.

    A zero atom has cosine zero to every column; it is paired with what the others leave.

    Parameters
    ----------
    dictionary
        Learned dictionary (obs, atom).
    truth
        True dictionary (obs, latent).
    signed
        Whether an atom of the wrong sign is as far as any: pairs are then matched by their cosine,
        of which the angle and the share above 0.9 are.
    either_sign
        Whether codes may be negative, so that an atom and its opposite are the same model: no sign
        is wrong then, and every cosine is taken without its own.

    Raises
    ------
    ValueError
        If the numbers of observed dimensions differ.
    """
    cosines = cosine(truth, dictionary)
    if either_sign:
        cosines = np.abs(cosines)
    closeness = np.maximum(cosines, 0) if signed else np.abs(cosines)
    rows, columns = match(closeness)
    paired = cosines[rows, columns]
    absolute = np.abs(paired)
    judged = paired if signed else absolute
    lengths = np.linalg.norm(dictionary, axis=0)[columns]
    true_lengths = np.linalg.norm(truth, axis=0)[rows]
    return DictionaryMetrics(
        mean_cosine=float(absolute.mean()),
        mean_signed_cosine=float(paired.mean()),
        mean_angular_error=float(np.arccos(np.clip(judged, -1.0, 1.0)).mean()),
        mean_norm_ratio=float((lengths / np.maximum(true_lengths, SMALLEST_NORM)).mean()),
        share_above_090=float((judged > CLOSE).mean()),
        share_wrong_sign=float((paired < 0).mean()),
        uniqueness=_uniqueness(closeness),
        rows=rows,
        columns=columns,
    )


def _uniqueness(closeness: np.ndarray) -> float:
    """Return the share of columns (latent, atom) whose largest row no other column shares."""
    # A zero atom is close to none.
    closest = closeness.argmax(axis=0)[closeness.max(axis=0) > 0]
    n_alone = np.count_nonzero(np.bincount(closest) == 1)
    return float(n_alone / closeness.shape[1])
