"""LISTA: iterative shrinkage unrolled into layers whose parameters are learned.

With S_θ the signed soft threshold, a layer maps codes z to S_θ(W z + S y), starting from z = 0. As
published, the loss of a batch is mean (y − D z)² + λ mean |z| of the last codes, with D fixed; no
true codes are seen. Source: Gregor and LeCun, Learning fast approximations of sparse coding, ICML
2010.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from sae_surgery.checks import (
    require_between,
    require_match,
    require_non_negative,
    require_positive,
    require_positive_integer,
    require_split,
)
from sae_surgery.inference.exact import LARGEST
from sae_surgery.inference.fista import step_bound
from sae_surgery.inference.layout import (
    ATOM_MULTIPLE,
    VECTOR_WIDTH,
    pad_dictionary,
    pad_observations,
)
from sae_surgery.learning.penalty import elementwise
from sae_surgery.learning.seeds import adamw_rates, each_seed
from sae_surgery.machine.checkpoints import NONE, Checkpoint, InPlace, Streams
from sae_surgery.machine.divergence import Divergence
from sae_surgery.machine.progress import Tracker, silent


@dataclass(frozen=True)
class Lista:
    """Settings of LISTA; the defaults are the paper's.

    Raises
    ------
    ValueError
        If a value is out of range.
    """

    n_layers: int = 16
    lam: float = 0.1
    """λ, weight of the codes' l1 norm in the loss."""
    threshold: float = 0.01
    """θ of all latents and layers before training."""
    learning_rate: float = 1e-3
    """Learning rate of Adam."""
    epochs: int = 200
    batch_size: int = 64
    """Samples of a batch; the last one of an epoch may have fewer."""
    learns_from: str = "val"
    """Split learned from: `val`, which is also scored, as published, or `train`."""
    lasso_penalty: bool = False
    """Whether λ is the lasso's rather than, as published, that of means over elements."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        require_non_negative(lam=self.lam, threshold=self.threshold)
        require_between(0, LARGEST, threshold=self.threshold)
        require_positive(learning_rate=self.learning_rate)
        require_positive_integer(
            n_layers=self.n_layers, epochs=self.epochs, batch_size=self.batch_size
        )
        require_split(self.learns_from)

    def penalty(self, obs_dim: int, n_atoms: int) -> float:
        """Return the weight of mean |z| in the loss, for a dictionary of that size."""
        return elementwise(self.lam, obs_dim, n_atoms) if self.lasso_penalty else self.lam


class ListaParameters(NamedTuple):
    """Parameters of all layers, stacked over seeds."""

    recurrent: Tensor
    """W (seed, layer, atom, atom); that of the first layer meets only z = 0 and is never used"""
    encoder: Tensor
    """S (seed, layer, atom, obs)"""
    thresholds: Tensor
    """θ (seed, layer, atom), used by absolute value"""


@torch.no_grad()
def train_lista(
    observations: Tensor,
    dictionary: Tensor,
    seeds: Sequence[int],
    settings: Lista,
    progress: Tracker = silent,
    checkpoint: Checkpoint = NONE,
    divergence: Divergence | None = None,
) -> ListaParameters:
    """Train one network a seed.

    Parameters
    ----------
    observations
        Y (seed, sample, obs).
    dictionary
        D (seed, obs, atom), which stays as it is.
    seeds
        One for each entry of the arrays; it decides the order of the batches.
    settings
        See `Lista`.
    progress
        Wraps the loop over epochs.
    checkpoint
        Saves what is learned between epochs.
    divergence
        Is told of seeds that diverge. When all have, training ends; else what they have is of no
        meaning.

    Raises
    ------
    ValueError
        If the shapes do not go together, or there is not one seed for each entry.
    """
    require_match(observations, dictionary)
    if len(seeds) != len(observations):
        raise ValueError(
            f"seeds must be {len(observations)}, one for each entry of observations, "
            f"got {len(seeds)}"
        )
    network = _network(dictionary, settings)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    divergence = Divergence() if divergence is None else divergence
    epochs = checkpoint.steps(settings.epochs, network, Streams(generators), divergence)
    for epoch in progress(epochs, "lista"):
        pairs = zip(observations, generators, strict=True)
        network.epoch(torch.stack([_shuffle(samples, generator) for samples, generator in pairs]))
        divergence.check(f"at epoch {epoch}", *network.learned())
        if not divergence.sound(len(seeds)):
            break
    return network.parameters()


@torch.no_grad()
def encode_lista(observations: Tensor, parameters: ListaParameters) -> Tensor:
    """Infer signed codes (seed, sample, atom) of observations (seed, sample, obs)."""
    n_samples, n_atoms = observations.shape[1], parameters.thresholds.shape[2]
    observations = pad_observations(observations)
    codes = None
    for recurrent, encoder, thresholds in zip(*_pad_layers(parameters), strict=True):
        codes = _layer(codes, recurrent, torch.bmm(observations, encoder.mT), thresholds)
    return codes[:, :n_samples, :n_atoms].contiguous()


def initial_parameters(dictionary: Tensor, settings: Lista) -> ListaParameters:
    """Return the parameters that make each layer a step of ISTA.

    W = I − DᵀD/L and S = Dᵀ/L with L = ‖D‖₂², for D (seed, obs, atom).
    """
    n_seeds, _, n_atoms = dictionary.shape
    encoder = dictionary.mT / step_bound(dictionary)[:, None, None]
    identity = torch.eye(n_atoms, dtype=dictionary.dtype, device=dictionary.device)
    recurrent = identity - torch.bmm(encoder, dictionary)
    thresholds = dictionary.new_full((n_seeds, n_atoms), settings.threshold)
    return ListaParameters(
        *(
            torch.stack([layer] * settings.n_layers, dim=1)
            for layer in (recurrent, encoder, thresholds)
        )
    )


class _Network(ABC):
    """The parameters of all seeds while they are trained, for dictionaries (seed, obs, atom)."""

    @abstractmethod
    def __init__(self, dictionary: Tensor, settings: Lista) -> None: ...

    @abstractmethod
    def epoch(self, observations: Tensor) -> None:
        """Train on all observations Y (seed, sample, obs), in their order."""

    @abstractmethod
    def learned(self) -> Sequence[Tensor]:
        """Return views, (seed, …), of all that is learned."""

    @abstractmethod
    def parameters(self) -> ListaParameters:
        """Return a copy of the parameters."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return what epochs change."""

    @abstractmethod
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` has told."""


def _network(dictionary: Tensor, settings: Lista) -> _Network:
    """Return the faster kind of network of those that can be trained for the dictionary."""
    compiled = dictionary.device.type == "cpu" and dictionary.dtype == torch.float32
    return (CompiledNetwork if compiled else TensorNetwork)(dictionary, settings)


class CompiledNetwork(_Network):
    """One seed after another on a CPU, or as many at once as there are threads.

    A seed's numbers do not depend on the others, nor on the number of threads.
    """

    def __init__(self, dictionary: Tensor, settings: Lista) -> None:
        self.settings, self.dictionary = settings, dictionary.contiguous()
        obs_dim, n_atoms = dictionary.shape[1:]
        start = _trim(initial_parameters(pad_dictionary(dictionary), settings), obs_dim, n_atoms)
        self.layers, self.thresholds = torch.cat(start[:2], 3), start.thresholds
        stacks = [self.layers.numpy(), self.thresholds[:, :, None].numpy()]
        stacks += [np.zeros_like(stack) for _ in range(2) for stack in stacks]
        self.states = InPlace(*stacks)
        self.arrays = list(zip(*stacks, self.dictionary.numpy(), strict=True))
        self.n_steps = 0

    def epoch(self, observations: Tensor) -> None:
        """Train on all observations Y (seed, sample, obs), in their order."""
        from sae_surgery.learning.lista_kernels import Network, lista_epoch

        n_batches = math.ceil(observations.shape[1] / self.settings.batch_size)
        rates = adamw_rates(self.n_steps, n_batches, self.settings.learning_rate)
        self.n_steps += n_batches

        def train(samples: Tensor, arrays: tuple) -> None:
            *states, dictionary = arrays
            networks = (Network(*states[start : start + 2]) for start in (0, 2, 4))
            size, lam = self.settings.batch_size, self.settings.penalty(*dictionary.shape)
            lista_epoch(*networks, dictionary, samples.numpy(), size, lam, rates)

        each_seed(train, observations, self.arrays)

    def learned(self) -> Sequence[Tensor]:
        """Return views, (seed, …), of all that is learned."""
        return self.layers, self.thresholds

    def parameters(self) -> ListaParameters:
        """Return a copy of the parameters."""
        n_atoms = self.layers.shape[2]
        recurrent, encoder = self.layers[..., :n_atoms], self.layers[..., n_atoms:]
        return ListaParameters(
            recurrent.contiguous(), encoder.contiguous(), self.thresholds.clone()
        )

    def state_dict(self) -> dict[str, Any]:
        """Return what epochs change."""
        return {"n_steps": self.n_steps, "learned": self.states.state_dict()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` has told."""
        self.n_steps = state_dict["n_steps"]
        self.states.load_state_dict(state_dict["learned"])


class TensorNetwork(_Network):
    """All seeds in the same steps, on any device.

    Inside, arrays are padded and carry `layer` first and `seed` second, so that a layer of all
    seeds is contiguous; one flat tensor is what the optimiser sees.
    """

    def __init__(self, dictionary: Tensor, settings: Lista) -> None:
        self.settings = settings
        self.obs_dim, self.n_atoms = dictionary.shape[1:]
        self.dictionary = dictionary = pad_dictionary(dictionary)
        layers = _pad_layers(initial_parameters(dictionary, settings))
        # Parts begin and end at whole vectors: the optimiser may round an element in the scalar
        # remainder of its loop otherwise than in a vector, and stacking seeds would move it.
        sizes = [math.ceil(values.numel() / VECTOR_WIDTH) * VECTOR_WIDTH for values in layers]
        self.flat = dictionary.new_zeros(sum(sizes))
        self.flat.grad = torch.zeros_like(self.flat)
        self.weights = _views(self.flat, sizes, layers)
        self.gradients = _views(self.flat.grad, sizes, layers)
        for weights, values in zip(self.weights, layers, strict=True):
            weights.copy_(values)
        self.optimiser = torch.optim.Adam([self.flat], lr=settings.learning_rate, fused=True)

    def epoch(self, observations: Tensor) -> None:
        """Train on all observations Y (seed, sample, obs), in their order."""
        for batch in observations.split(self.settings.batch_size, dim=1):
            error_scale = 2 / batch[0].numel()
            penalty = self.settings.penalty(self.obs_dim, self.n_atoms)
            penalty /= batch.shape[1] * self.n_atoms
            self.differentiate(pad_observations(batch), error_scale, penalty)
            self.optimiser.step()

    def learned(self) -> Sequence[Tensor]:
        """Return views, (seed, …), of all that is learned."""
        return [weights.transpose(0, 1) for weights in self.weights]

    def parameters(self) -> ListaParameters:
        """Return a copy of the parameters, without padding, seed first."""
        seed_first = ListaParameters(*(weights.transpose(0, 1) for weights in self.weights))
        return _trim(seed_first, self.obs_dim, self.n_atoms)

    def state_dict(self) -> dict[str, Any]:
        """Return what epochs change."""
        return {"learned": self.flat, "optimiser": self.optimiser.state_dict()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` has told."""
        self.flat.copy_(state_dict["learned"])
        self.optimiser.load_state_dict(state_dict["optimiser"])

    def differentiate(self, batch: Tensor, error_scale: float, penalty: float) -> None:
        """Write the gradient of Σ error_scale ‖y − D z‖² / 2 + penalty ‖z‖₁ over the samples.

        With p = W z + S y, the layer S_θ(p) passes a gradient to p where its output is not zero,
        and to |θ| the negative of the same, signed like the output.
        """
        repeated = batch.expand(len(self.weights.encoder), *batch.shape).flatten(0, 1)
        codes = self._forward(repeated)
        last = codes[-1]
        residual = torch.bmm(last, self.dictionary.mT).sub_(batch)
        gradient = torch.bmm(residual, self.dictionary).mul_(error_scale)
        gradient.add_(last.sign(), alpha=penalty)

        signs = codes[1:].sign()
        active = signs.abs()
        before = torch.empty_like(active)
        for layer in reversed(range(len(before))):
            torch.mul(gradient, active[layer], out=before[layer])
            if layer > 0:
                torch.bmm(before[layer], self.weights.recurrent[layer], out=gradient)

        recurrent, encoder, thresholds = self.gradients
        transposed = before.flatten(0, 1).mT
        torch.bmm(transposed, codes[:-1].flatten(0, 1), out=recurrent.flatten(0, 1))
        torch.bmm(transposed, repeated, out=encoder.flatten(0, 1))
        # A product with ones, because a sum may round otherwise when more seeds are stacked.
        ones = batch.new_ones(len(repeated), 1, batch.shape[1])
        signed = torch.bmm(ones, before.mul_(signs).flatten(0, 1)).view_as(thresholds)
        torch.mul(signed, self.weights.thresholds.sign().neg_(), out=thresholds)

    def _forward(self, repeated: Tensor) -> Tensor:
        """Return the codes before the first and after each layer, (layer + 1, seed, sample, atom).

        `repeated` is the batch once for each layer, (layer · seed, sample, obs).
        """
        recurrent, encoder, thresholds = self.weights
        drives = torch.bmm(repeated, encoder.flatten(0, 1).mT).unflatten(0, encoder.shape[:2])
        codes = drives.new_zeros(len(drives) + 1, *drives.shape[1:])
        for layer, drive in enumerate(drives):
            previous = codes[layer] if layer > 0 else None
            _layer(previous, recurrent[layer], drive, thresholds[layer], out=codes[layer + 1])
        return codes


def _layer(
    codes: Tensor | None,
    recurrent: Tensor,
    drive: Tensor,
    thresholds: Tensor,
    out: Tensor | None = None,
) -> Tensor:
    """Return S_θ(W z + S y), where `drive` is S y (seed, sample, atom) and no codes mean z = 0."""
    if codes is not None:
        drive = torch.baddbmm(drive, codes, recurrent.mT)
    limit = thresholds.abs()[:, None]
    return torch.sub(drive, drive.clamp(-limit, limit), out=out)


def _pad_layers(parameters: ListaParameters) -> ListaParameters:
    """Pad the parameters and put `layer` first; absent atoms get no drive, so their codes are 0."""
    recurrent, encoder, thresholds = parameters
    obs, atoms = -encoder.shape[3] % VECTOR_WIDTH, -encoder.shape[2] % ATOM_MULTIPLE
    padded = (
        pad(recurrent, (0, atoms, 0, atoms)),
        pad(encoder, (0, obs, 0, atoms)),
        pad(thresholds, (0, atoms)),
    )
    return ListaParameters(*(values.transpose(0, 1).contiguous() for values in padded))


def _trim(parameters: ListaParameters, obs_dim: int, n_atoms: int) -> ListaParameters:
    """Return a copy of padded parameters without the padding."""
    recurrent, encoder, thresholds = parameters
    return ListaParameters(
        recurrent[..., :n_atoms, :n_atoms].contiguous(),
        encoder[..., :n_atoms, :obs_dim].contiguous(),
        thresholds[..., :n_atoms].contiguous(),
    )


def _views(flat: Tensor, sizes: list[int], shapes: ListaParameters) -> ListaParameters:
    """Return views of consecutive parts of a flat tensor, shaped like `shapes`."""
    parts = zip(flat.split(sizes), shapes, strict=True)
    return ListaParameters(*(part[: like.numel()].view_as(like) for part, like in parts))


def _shuffle(observations: Tensor, generator: torch.Generator) -> Tensor:
    order = torch.randperm(len(observations), generator=generator)
    return observations[order.to(observations.device)]
