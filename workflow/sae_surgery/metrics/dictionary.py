"""How close a learned dictionary is to the true one, atom by atom."""

from typing import NamedTuple

import numpy as np

from sae_surgery.metrics.matching import SMALLEST_NORM, cosine, match

CLOSE = 0.9
"""|Cosine| above which an atom counts as found."""


class DictionaryMetrics(NamedTuple):
    """Closeness of matched pairs of atom and latent, and the matching itself."""

    mean_cosine: float
    """Mean |cosine|."""
    mean_signed_cosine: float
    """Mean cosine: an atom of the wrong sign counts against."""
    mean_angular_error: float
    """Mean angle between the lines that the two columns span, in radians."""
    mean_norm_ratio: float
    """Mean norm of the atom over norm of the latent's column."""
    share_above_090: float
    """Share of pairs with |cosine| above 0.9."""
    share_wrong_sign: float
    """Share of pairs with negative cosine, useless to non-negative codes."""
    rows: np.ndarray
    """Latent of each pair (pair,)."""
    columns: np.ndarray
    """Atom of each pair (pair,)."""


def dictionary_metrics(dictionary: np.ndarray, truth: np.ndarray) -> DictionaryMetrics:
    """Match atoms to latents by |cosine|, one to one, and say how close the pairs are.

    A zero atom has cosine zero to every column; it is paired with what the others leave.

    Parameters
    ----------
    dictionary
        Learned dictionary (obs, atom).
    truth
        True dictionary (obs, latent).

    Raises
    ------
    ValueError
        If the numbers of observed dimensions differ.
    """
    signed = cosine(truth, dictionary)
    rows, columns = match(np.abs(signed))
    paired = signed[rows, columns]
    absolute = np.abs(paired)
    lengths = np.linalg.norm(dictionary, axis=0)[columns]
    true_lengths = np.linalg.norm(truth, axis=0)[rows]
    return DictionaryMetrics(
        mean_cosine=float(absolute.mean()),
        mean_signed_cosine=float(paired.mean()),
        mean_angular_error=float(np.arccos(np.minimum(absolute, 1.0)).mean()),
        mean_norm_ratio=float((lengths / np.maximum(true_lengths, SMALLEST_NORM)).mean()),
        share_above_090=float((absolute > CLOSE).mean()),
        share_wrong_sign=float((paired < 0).mean()),
        rows=rows,
        columns=columns,
    )
