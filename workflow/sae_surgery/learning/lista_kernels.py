"""The training epochs of LISTA on a CPU, compiled: one seed a call; single precision.

W and S of a layer lie side by side, [W S] (atom, atom + obs), and so do what they multiply, [z y]:
one product serves both, forwards and for the gradient.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sae_surgery.learning.kernels import compiled, update


class Network(NamedTuple):
    """The parameters of one seed, or a number for each that Adam remembers."""

    layers: NDArray
    """[W S] (layer, atom, atom + obs)"""
    thresholds: NDArray
    """θ (layer, 1, atom)"""


@compiled
def lista_epoch(values, first, second, dictionary, observations, size, lam, rates):
    """Train on all observations, in their order.

    Parameters
    ----------
    values, first, second
        A `Network` each: the parameters and the two moments of Adam.
    dictionary
        D (obs, atom)
    observations
        Y (sample, obs)
    size
        Samples in a batch; the last one may have fewer.
    lam
        λ
    rates
        (batch, 3), see `update_row`.
    """
    n_layers, n_atoms = len(values.layers), dictionary.shape[1]
    number = dictionary.dtype.type
    for index in range(len(rates)):
        batch, rate = observations[index * size : (index + 1) * size], rates[index]
        inputs = np.zeros((n_layers + 1, len(batch), values.layers.shape[2]), dictionary.dtype)
        for layer in range(n_layers):
            inputs[layer, :, n_atoms:] = batch
            moved = np.dot(inputs[layer], values.layers[layer].T)
            shrink(moved, values.thresholds[layer, 0], inputs[layer + 1])

        codes = np.ascontiguousarray(inputs[n_layers, :, :n_atoms])
        residual = np.dot(codes, dictionary.T) - batch
        gradient = np.dot(residual, dictionary) * number(2 / batch.size)
        gradient += np.sign(codes) * number(lam / codes.size)
        for layer in range(n_layers - 1, -1, -1):
            passed, by_threshold = pass_active(
                gradient, inputs[layer + 1], values.thresholds[layer, 0]
            )
            by_layer = np.dot(passed.T, inputs[layer])
            gradient = np.dot(passed, values.layers[layer])
            update(values.layers[layer], by_layer, first.layers[layer], second.layers[layer], rate)
            thresholds = values.thresholds[layer], first.thresholds[layer], second.thresholds[layer]
            update(thresholds[0], by_threshold, thresholds[1], thresholds[2], rate)


@compiled
def shrink(moved, thresholds, out):
    """Write S_θ(p) of p (sample, atom) to the head of the rows of `out`."""
    for sample in range(len(moved)):
        for atom in range(len(thresholds)):
            limit, value = abs(thresholds[atom]), moved[sample, atom]
            out[sample, atom] = value - min(max(value, -limit), limit)


@compiled
def pass_active(gradient, outputs, thresholds):
    """Carry the gradient back through S_θ, where it passes if the output is not zero.

    Parameters
    ----------
    gradient, outputs
        By and of the layer, in the heads of rows that may be longer, one for each sample.
    thresholds
        θ (atom,)

    Returns
    -------
    passed
        The gradient by p, (sample, atom).
    by_threshold
        That by θ, (1, atom): by |θ| it is −Σ passed · sign of the output.
    """
    passed = np.empty((len(gradient), len(thresholds)), gradient.dtype)
    by_threshold = np.zeros((1, len(thresholds)), gradient.dtype)
    for sample in range(len(gradient)):
        for atom in range(len(thresholds)):
            sign = np.sign(outputs[sample, atom])
            passed[sample, atom] = gradient[sample, atom] * abs(sign)
            by_threshold[0, atom] -= gradient[sample, atom] * sign
    by_threshold[0] *= np.sign(thresholds)
    return passed, by_threshold
