"""Matching pursuit: k greedy steps, each taking the atom that explains most of what is left.

Source: Mallat and Zhang, Matching pursuits with time-frequency dictionaries, IEEE Trans. Signal
Processing 41 (1993); here no atom is taken twice for the same sample.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from sae_surgery.checks import require_match, require_positive_integer
from sae_surgery.inference.columns import unit_columns
from sae_surgery.inference.layout import pad_dictionary, pad_observations, sample_blocks


@torch.no_grad()
def matching_pursuit(observations: Tensor, dictionary: Tensor, k: int) -> Tensor:
    """Infer signed codes with k active atoms a sample.

    Each step takes, of the atoms not yet taken, the one of largest |correlation| with the residual
    (the first on ties), gives it that correlation as its coefficient and subtracts it.

    Parameters
    ----------
    observations
        Y (seed, sample, obs).
    dictionary
        D (seed, obs, atom); its columns are normalised here.
    k
        Number of steps.

    Returns
    -------
    Codes Z (seed, sample, atom), signed, with respect to the unit columns of D.

    Raises
    ------
    ValueError
        If the shapes do not go together, or `k` is not between 1 and the number of atoms.
    """
    require_match(observations, dictionary)
    require_positive_integer(k=k)
    n_samples, n_atoms = observations.shape[1], dictionary.shape[2]
    if k > n_atoms:
        raise ValueError(f"k must be at most the number of atoms, {n_atoms}, got {k}")
    observations = pad_observations(observations)
    atoms = unit_columns(pad_dictionary(dictionary))
    gram_rows = _gram_rows(atoms, stored=n_atoms <= k * n_samples)
    codes = observations.new_zeros(*observations.shape[:2], atoms.shape[2])
    for block in sample_blocks(*codes.shape[1:], codes.device):
        _pursue(torch.bmm(observations[:, block], atoms), gram_rows, k, codes[:, block])
    # Padding comes last, so that no empty atom is taken before all others are.
    return codes[:, :n_samples, :n_atoms].contiguous()


def _pursue(
    correlations: Tensor, gram_rows: Callable[[Tensor], Tensor], k: int, codes: Tensor
) -> None:
    """Take k steps from correlations DᵀY (seed, sample, atom) and write the codes.

    Only correlations are needed, not residuals: subtracting a times atom j from the residual
    subtracts a times row j of DᵀD from them.
    """
    taken = torch.empty(*codes.shape[:2], k, dtype=torch.int64, device=codes.device)
    for count in range(k):
        scores = correlations.abs().scatter_(2, taken[..., :count], -1.0)
        atom_index = scores.argmax(2, keepdim=True)
        coefficient = correlations.gather(2, atom_index)
        codes.scatter_(2, atom_index, coefficient)
        taken[..., count : count + 1] = atom_index
        correlations.addcmul_(coefficient, gram_rows(atom_index[..., 0]), value=-1)


def _gram_rows(atoms: Tensor, stored: bool) -> Callable[[Tensor], Tensor]:
    """Return a function from atom indices (seed, sample) to rows of DᵀD (seed, sample, atom).

    `stored` decides whether they are looked up or computed, which is cheaper where fewer rows are
    asked for than there are atoms.
    """
    seeds = torch.arange(len(atoms), device=atoms.device)[:, None]
    if stored:
        gram = torch.bmm(atoms.mT, atoms)
        return lambda atom_index: gram[seeds, atom_index]
    columns = atoms.mT.contiguous()
    return lambda atom_index: torch.bmm(columns[seeds, atom_index], atoms)
