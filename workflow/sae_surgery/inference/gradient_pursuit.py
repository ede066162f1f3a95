"""Gradient pursuit: k steps, each taking an atom and one step along the gradient.

Sources: Blumensath and Davies, Gradient pursuits, IEEE Trans. Signal Processing 56 (2008); with
values kept non-negative as in Smith, Inference-time optimisation, in: Nanda et al., Progress update
1 from the GDM mechanistic interpretability team (2024).
"""

from torch import Tensor

from sae_surgery.inference.greedy import pursue
from sae_surgery.inference.greedy_kernels import GRADIENT
from sae_surgery.inference.sparse import SparseCodes


def gradient_pursuit(observations: Tensor, dictionary: Tensor, k: int | Tensor) -> SparseCodes:
    """Infer non-negative codes with at most k active atoms a sample.

    Each of k steps adds the atom of largest dᵀr / ‖d‖ to those taken (the first on ties; it may be
    among them), and moves the values of all of them along the gradient of ½‖r‖², as far as lowers
    it most; values below zero are then set to zero. Values and gradient are those for unit atoms
    there; the codes returned are with respect to D as it is given. A sample ends early where
    nothing but rounding in single precision is left (1e-7 ‖y‖).

    Parameters, errors and what codes depend on are those of `omp`.
    """
    return pursue(observations, dictionary, k, GRADIENT)
