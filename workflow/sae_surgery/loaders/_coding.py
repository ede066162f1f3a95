"""How trained SAEs encode: from activations to inputs, from inputs to codes.

Both are described by numbers and tensors alone, under the names of the plain format, so that every
SAE can be written as one, and kept among the parameters of a fitted model.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor


class Named:
    """A dataclass of numbers and tensors, each of which stands under its own name."""

    def tensors(self) -> dict[str, Tensor]:
        """Return what is set, by name; numbers as tensors without dimensions, in double."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {
            name: value if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.float64)
            for name, value in values.items()
            if value is not None
        }

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return all names."""
        return tuple(item.name for item in fields(cls))

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> Self:
        """Undo `tensors`; names that are not of this class are left out."""
        values: dict[str, Any] = {}
        for item in fields(cls):
            if item.name in tensors:
                tensor = tensors[item.name]
                number = {"int | None": int, "float | None": float}.get(str(item.type))
                values[item.name] = tensor if number is None else number(tensor)
        return cls(**values)


@dataclass(frozen=True)
class Inputs(Named):
    """What is done to activations before an SAE sees them; one of these, or nothing.

    Constant scale: x s. Layer norm, each sample: (x − μ) / (σ + ε), σ with n − 1, undone with σ.
    Fixed norm, each sample: x c / ‖x‖. Whitening: (x − m) W, undone with W⁻¹.
    """

    input_scale: float | None = None
    """s"""
    layer_norm_epsilon: float | None = None
    """ε"""
    input_norm: float | None = None
    """c"""
    input_mean: Tensor | None = None
    """m (obs,)"""
    whitening: Tensor | None = None
    """W (obs, obs), applied from the right"""
    unwhitening: Tensor | None = None
    """W⁻¹ (obs, obs)"""

    @property
    def of_each_sample(self) -> bool:
        """Whether what is done depends on the sample."""
        return self.layer_norm_epsilon is not None or self.input_norm is not None

    def undone(self, dictionary: Tensor, decoder_bias: Tensor) -> tuple[Tensor, Tensor]:
        """Return dictionary (obs, atom) and bias (obs,) that reconstruct activations themselves.

        Raises
        ------
        ValueError
            If what is done to activations depends on the sample, so that there are none.
        """
        if self.of_each_sample:
            raise ValueError("what is done to each sample is undone by no one dictionary")
        if self.whitening is not None:
            bias = decoder_bias @ self.unwhitening + self.input_mean
            return self.unwhitening.T @ dictionary, bias
        factor = 1.0 if self.input_scale is None else self.input_scale
        return dictionary / factor, decoder_bias / factor

    def apply(self, activations: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """Return the inputs (sample, obs), and what takes reconstructions of them back."""
        if self.layer_norm_epsilon is not None:
            mean = activations.mean(dim=-1, keepdim=True)
            centred = activations - mean
            deviation = centred.std(dim=-1, keepdim=True)
            inputs = centred / (deviation + self.layer_norm_epsilon)
            return inputs, lambda outputs: outputs * deviation + mean
        if self.input_norm is not None:
            factor = self.input_norm / activations.norm(dim=-1, keepdim=True)
            return activations * factor, lambda outputs: outputs / factor
        if self.whitening is not None:
            inputs = (activations - self.input_mean) @ self.whitening
            return inputs, lambda outputs: outputs @ self.unwhitening + self.input_mean
        if self.input_scale is not None:
            return activations * self.input_scale, lambda outputs: outputs / self.input_scale
        return activations, lambda outputs: outputs


@dataclass(frozen=True)
class Coding(Named):
    """From inputs x to codes: p = W (x − b) + b_e, and then what the names that are set say.

    Gated: relu(e^r · W (x − b) + b_m) where p > 0. Group maximum: the largest of each of k groups
    of atoms that follow each other. Top k: the k largest, or the k largest by absolute value with
    their signs. Threshold: relu(p) where p > θ. Matching pursuit has no encoder, but takes atom
    after atom. With none of these, relu(p). Codes that are negative are zero but with signed top k.
    """

    encoder_weight: Tensor | None = None
    """W (atom, obs); none for matching pursuit."""
    encoder_bias: Tensor | None = None
    """b_e (atom,)"""
    input_bias: Tensor | None = None
    """b (obs,)"""
    k: int | None = None
    """Largest entries kept of each sample."""
    signed_k: int | None = None
    """Likewise, by absolute value, with their signs."""
    groups: int | None = None
    """Number of groups of which the largest is kept."""
    threshold: Tensor | None = None
    """θ (atom,)"""
    magnitude_scale: Tensor | None = None
    """r (atom,), a logarithm."""
    magnitude_bias: Tensor | None = None
    """b_m (atom,)"""
    pursuit_iterations: int | None = None
    """Atoms that matching pursuit takes at most, counted with repetition."""
    pursuit_residual: float | None = None
    """Norm of the residual below which it stops; not given or 0: never."""
    pursuit_stops_on_repetition: int | None = None
    """1: it stops where an iteration takes no new atom. Not given or 0: it goes on."""
    keeps_negative: int | None = None
    """1: codes of top k, of matching pursuit or of none of these are not cut off at zero."""

    @property
    def signed(self) -> bool:
        """Whether codes may be negative."""
        return self.signed_k is not None or bool(self.keeps_negative)

    def encode(self, inputs: Tensor, dictionary: Tensor) -> Tensor:
        """Return codes (sample, atom) of inputs (sample, obs); dictionary is (obs, atom)."""
        centred = inputs if self.input_bias is None else inputs - self.input_bias
        if self.pursuit_iterations is not None:
            return self._pursue(centred, dictionary)
        projected = centred @ self.encoder_weight.T
        before = projected if self.encoder_bias is None else projected + self.encoder_bias
        if self.magnitude_scale is not None:
            magnitudes = projected * self.magnitude_scale.exp() + self.magnitude_bias
            return magnitudes.relu() * (before > 0)
        if self.signed_k is not None:
            chosen = before.abs().topk(self.signed_k, dim=1, sorted=False).indices
            return torch.zeros_like(before).scatter(1, chosen, before.gather(1, chosen))
        codes = before if self.keeps_negative else before.relu()
        if self.k is not None:
            values, chosen = codes.topk(self.k, dim=1, sorted=False)
            return torch.zeros_like(codes).scatter(1, chosen, values)
        if self.groups is not None:
            grouped = codes.unflatten(1, (self.groups, -1))
            values, chosen = grouped.max(dim=2, keepdim=True)
            return torch.zeros_like(grouped).scatter(2, chosen, values).flatten(1)
        if self.threshold is not None:
            return codes * (before > self.threshold)
        return codes

    def _pursue(self, residual: Tensor, dictionary: Tensor) -> Tensor:
        """Take the atom with the largest inner product, subtract, until nothing more is gained."""
        codes = residual.new_zeros(len(residual), dictionary.shape[1])
        done = torch.zeros(len(residual), dtype=torch.bool, device=residual.device)
        support = codes != 0
        for _ in range(self.pursuit_iterations):
            atoms = (residual @ dictionary).argmax(dim=1)
            columns = dictionary.T[atoms]
            values = (residual * columns).sum(dim=1).masked_fill(done, 0)
            values = values if self.keeps_negative else values.relu()
            codes.scatter_add_(1, atoms[:, None], values[:, None])
            residual = residual - values[:, None] * columns
            if self.pursuit_stops_on_repetition:
                before, support = support, codes != 0
                done = done | (support == before).all(dim=1)
            if self.pursuit_residual:
                done = done | (residual.norm(dim=1) < self.pursuit_residual)
            if done.all():
                break
        return codes
