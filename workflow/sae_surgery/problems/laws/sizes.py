"""Sizes of synthetic problems: latents, active latents, observed dimensions and samples."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from sae_surgery.problems.base import Problem
from sae_surgery.problems.laws.fresh import fresh_samples

LARGEST_SIZE = 10**8
"""No size is above this: a dictionary of 100 million atoms already takes terabytes."""


@dataclass(frozen=True)
class Sized(Problem):
    """A synthetic problem of given sizes. Half of the in-distribution samples are to learn from.

    Raises
    ------
    ValueError
        If a size is not a positive integer, or absurdly large, or there are too few latents or
        samples.
    """

    n_latents: int
    """Width n of the latent vector z, and number of atoms of the dictionary A."""
    k: int
    """Active latents in a sample; where their number varies, the mean."""
    obs_dim: int
    """Dimension m of an observation, at most `n_latents` (superposition)."""
    n_samples: int
    """In-distribution samples, shared by train and val; half as many more are ood."""

    abbreviations: ClassVar[Mapping[str, str]] = {
        "n_latents": "n",
        "k": "k",
        "obs_dim": "m",
        "n_samples": "s",
    }

    def __post_init__(self) -> None:
        """Refuse sizes of which no problem can be drawn."""
        for key in Sized.abbreviations:
            size = getattr(self, key)
            require_positive_integer(key, size)
            if size > LARGEST_SIZE:
                raise ValueError(f"{key} must be at most {LARGEST_SIZE}, got {size}")
        if self.n_samples < 2:
            raise ValueError(
                "n_samples must be at least 2 (one to train on, one to validate), "
                f"got {self.n_samples}"
            )
        if self.n_latents < 2:
            raise ValueError(
                "n_latents must be at least 2 (latent 0 and one to stand without it), "
                f"got {self.n_latents}"
            )
        if self.obs_dim > self.n_latents:
            raise ValueError(
                f"obs_dim must be at most n_latents = {self.n_latents} (superposition), "
                f"got {self.obs_dim}"
            )

    @classmethod
    def variables(cls) -> dict[str, Any]:
        """Return what a sweep may vary; obs_dim follows from n_latents, k and a factor."""
        own = {field.name: field.default for field in fields(cls)}
        sizes = {"n_latents": 1000, "k": 10, "n_samples": 5000, "samples_per_latent": None}
        further = {key: value for key, value in own.items() if key not in Sized.abbreviations}
        return sizes | {"obs_dim_factor": 2.0, "clip_obs_dim": False} | further

    @classmethod
    def at(cls, place: Mapping[str, Any]) -> "Sized":
        """Make the problem at one place of a sweep.

        Raises
        ------
        ValueError
            If the sizes are not those of a problem.
        """
        values = cls.variables() | dict(place)
        n_latents, k = values.pop("n_latents"), values.pop("k")
        dim = clipped_dim if values.pop("clip_obs_dim") else compressed_sensing_dim
        obs_dim = dim(n_latents, k, values.pop("obs_dim_factor"))
        n_samples, per_latent = values.pop("n_samples"), values.pop("samples_per_latent")
        if per_latent:
            n_samples = 2 * round(per_latent * n_latents)
        return cls(n_latents, k, obs_dim, n_samples, **values)

    def fresh_samples(self) -> tuple[int, int]:
        """Return how many fresh samples there are of val and of ood, by `laws.fresh`."""
        return fresh_samples(self.n_latents, self.k)


@dataclass(frozen=True)
class PaperSizes(Sized):
    """The sizes of the paper's problem, and the pools that latent 0 is paired with.

    Raises
    ------
    ValueError
        If no such problem can be drawn.
    """

    norm_ratio: int = 1
    """The largest norm of A's columns over the smallest; 1, unit norms, as published."""

    abbreviations: ClassVar[Mapping[str, str]] = {**Sized.abbreviations, "norm_ratio": "r"}

    def __post_init__(self) -> None:
        """Refuse sizes of which no problem can be drawn."""
        super().__post_init__()
        require_positive_integer("norm_ratio", self.norm_ratio)
        # The pool that latent 0 is paired with in distribution is the smallest of the three.
        largest_k = self.n_latents - self.n_ood_pool
        if self.k > largest_k:
            raise ValueError(
                f"k must be at most {largest_k} at n_latents = {self.n_latents}: in distribution, "
                f"latent 0 is paired only with the {self.n_id_pool} others of the first half; "
                f"got {self.k}"
            )

    @property
    def n_ood_pool(self) -> int:
        """How many latents (the last ones) accompany latent 0 out of distribution."""
        return self.n_latents // 2

    @property
    def n_id_pool(self) -> int:
        """How many latents (those between 0 and the OOD pool) accompany it in distribution."""
        return self.n_latents - self.n_ood_pool - 1


def compressed_sensing_dim(n_latents: int, k: int, c: float = 2.0) -> int:
    """Observed dimensions by the compressed-sensing heuristic: max(k + 1, ceil(c k ln(n / k))).

    Raises
    ------
    ValueError
        If a size is not a positive integer or ``c`` is not a positive number.
    """
    return max(k + 1, _scaled_dim(n_latents, k, c))


def clipped_dim(n_latents: int, k: int, c: float) -> int:
    """Observed dimensions of the phase transition: ceil(c k ln(n / k)), kept within [1, n].

    Raises
    ------
    ValueError
        If a size is not a positive integer or ``c`` is not a positive number.
    """
    return min(n_latents, max(1, _scaled_dim(n_latents, k, c)))


def _scaled_dim(n_latents: int, k: int, c: float) -> int:
    require_positive_integer("n_latents", n_latents)
    require_positive_integer("k", k)
    if not 0 < c < math.inf:
        raise ValueError(f"c must be a positive number, got {c}")
    return math.ceil(c * k * math.log(n_latents / k))


def require_positive_integer(key: str, value: object) -> None:
    """Raise ValueError unless a value is a positive integer."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{key} must be a positive integer, got {value!r}")
