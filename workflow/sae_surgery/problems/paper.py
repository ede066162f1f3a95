"""The problem y = A z: which cells exist, how large they are and how their samples are split.

A *cell* fixes the sizes of one experiment: n latents of which k are active in a sample, m observed
dimensions and N samples. The observations y in R^m are noise-free mixtures of the unit columns of
A (m × n); m < n is superposition. Drawing a cell is in `sampling`; this file needs nothing but the
standard library, because the workflow reads it before it does anything else.
"""

import math
import re
from dataclasses import dataclass, fields

CELL_PATTERN = r"n[1-9][0-9]*_k[1-9][0-9]*_m[1-9][0-9]*_s[1-9][0-9]*(?:_r[1-9][0-9]*)?"
"""What a cell's name looks like (a regular expression that captures nothing, for wildcards)."""

LARGEST_SIZE = 10**8
"""No size of a cell is above this: a dictionary of 100 million atoms already takes terabytes."""


@dataclass(frozen=True)
class Cell:
    """The sizes of one experiment.

    Attributes
    ----------
    n_latents : int
        Width n of the latent vector z, and number of atoms of the dictionary A.
    k : int
        Active latents in each sample.
    obs_dim : int
        Dimension m of an observation, at most ``n_latents``.
    n_samples : int
        In-distribution samples, shared by the splits train and val; half as many more are ood.
    norm_ratio : int
        The largest norm of A's columns over the smallest; 1, unit norms, as published.

    Raises
    ------
    ValueError
        If a size is not a positive integer, or absurdly large, or no problem of these sizes can be
        drawn.
    """

    n_latents: int
    k: int
    obs_dim: int
    n_samples: int
    norm_ratio: int = 1

    def __post_init__(self) -> None:
        """Refuse sizes of which no problem can be drawn."""
        for field in fields(self):
            size = getattr(self, field.name)
            _require_positive_integer(field.name, size)
            if size > LARGEST_SIZE:
                raise ValueError(f"{field.name} must be at most {LARGEST_SIZE}, got {size}")
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
        # The pool that latent 0 is paired with in distribution is the smallest of the three.
        largest_k = self.n_latents - self.n_ood_pool
        if self.k > largest_k:
            raise ValueError(
                f"k must be at most {largest_k} at n_latents = {self.n_latents}: in distribution, "
                f"latent 0 is paired only with the {self.n_id_pool} others of the first half; "
                f"got {self.k}"
            )
        if self.obs_dim > self.n_latents:
            raise ValueError(
                f"obs_dim must be at most n_latents = {self.n_latents} (superposition), "
                f"got {self.obs_dim}"
            )

    @property
    def name(self) -> str:
        """The cell as a path component, ``n1000_k10_m93_s5000`` or, with norms, ``…_r4``."""
        norms = f"_r{self.norm_ratio}" if self.norm_ratio > 1 else ""
        return f"n{self.n_latents}_k{self.k}_m{self.obs_dim}_s{self.n_samples}{norms}"

    @classmethod
    def parse(cls, name: str) -> "Cell":
        """Read a cell back from its `name`.

        Raises
        ------
        ValueError
            If the name is not of that form, or the cell it names is infeasible.
        """
        if not re.fullmatch(CELL_PATTERN, name):
            raise ValueError(
                "a cell's name must look like n1000_k10_m93_s5000 "
                f"(latents, active, observed dimensions, samples), got {name!r}"
            )
        return cls(*map(int, re.findall(r"[0-9]+", name)))

    @property
    def norms(self) -> str:
        """Of what norm the columns of A are, in words."""
        return "unit norm" if self.norm_ratio == 1 else "unequal norms"

    @property
    def n_ood_pool(self) -> int:
        """How many latents (the last ones) accompany latent 0 out of distribution."""
        return self.n_latents // 2

    @property
    def n_id_pool(self) -> int:
        """How many latents (those between 0 and the OOD pool) accompany it in distribution."""
        return self.n_latents - self.n_ood_pool - 1

    @property
    def n_train(self) -> int:
        """Samples of the split train: the first half of the in-distribution ones."""
        return self.n_samples // 2

    @property
    def n_val(self) -> int:
        """Samples of the split val: the rest of the in-distribution ones."""
        return self.n_samples - self.n_train

    @property
    def n_ood(self) -> int:
        """Samples of the split ood."""
        return self.n_samples // 2


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
    _require_positive_integer("n_latents", n_latents)
    _require_positive_integer("k", k)
    if not 0 < c < math.inf:
        raise ValueError(f"c must be a positive number, got {c}")
    return math.ceil(c * k * math.log(n_latents / k))


def _require_positive_integer(key: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{key} must be a positive integer, got {value!r}")
