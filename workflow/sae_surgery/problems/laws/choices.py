"""The choices that a composed problem is put together from."""

import math
from dataclasses import dataclass
from typing import ClassVar

from sae_surgery.problems.laws.sizes import Sized

CHOICES = {
    "support": ("independent", "fixed", "correlated"),
    "rates": ("zipf", "uniform", "linear"),
    "magnitudes": ("uniform", "constant", "exponential", "folded_normal"),
}
"""What can be chosen, by setting."""


@dataclass(frozen=True)
class Choices(Sized):
    """Sizes and named laws of a synthetic problem.

    Raises
    ------
    ValueError
        If a choice does not exist, a number is out of its range, or choices exclude each other.
    """

    support: str = "independent"
    """Which latents are active: each by itself, exactly k, or correlated by a Gaussian copula."""
    rates: str = "zipf"
    """Firing rates by rank, with a sum of k: rank^−exponent, all equal, or falling linearly."""
    exponent: float = 0.5
    """Exponent of the rates ``zipf``."""
    rank: int = 25
    """Rank of the copula of the support ``correlated``."""
    correlation: float = 0.1
    """Largest correlation of two latents' normals in the copula."""
    n_trees: int = 0
    """Trees of latents, in which children are active only with their parent; 0: none."""
    branching: int = 4
    """Children of each parent in a tree."""
    depth: int = 3
    """Levels of a tree below its root."""
    exclusive: bool = True
    """Whether at most one child of a parent is active."""
    magnitudes: str = "uniform"
    """Law of the active latents' values, of mean one half."""
    coherence: float = 1.0
    """Largest |cosine| of two columns of A, which are driven apart to it; 1: as they are drawn."""
    norm_ratio: float = 1.0
    """The largest norm of A's columns over the smallest."""
    bias: float = 0.0
    """Norm of a constant vector in all observations."""
    snr_db: float = math.inf
    """Signal-to-noise ratio in dB; infinite: no noise."""
    held_out: float = 0.25
    """Pairs of latents held out of train and val, as a share of the latents, at most one half."""

    long_names: ClassVar[dict[str, str]] = {"snr_db": "signal-to-noise ratio (dB)"}

    def __post_init__(self) -> None:
        """Refuse choices that do not exist or exclude each other."""
        super().__post_init__()
        for key, allowed in CHOICES.items():
            if getattr(self, key) not in allowed:
                raise ValueError(
                    f"{key} must be one of {', '.join(allowed)}, got {getattr(self, key)!r}"
                )
        for key, low, high in (
            ("exponent", 0, 10),
            ("rank", 1, math.inf),
            ("correlation", 0, 1),
            ("n_trees", 0, self.n_latents),
            ("branching", 1, math.inf),
            ("depth", 1, math.inf),
            ("coherence", 0, 1),
            ("norm_ratio", 1, math.inf),
            ("bias", 0, math.inf),
        ):
            if not low <= getattr(self, key) <= high:
                raise ValueError(f"{key} must be from {low} to {high}, got {getattr(self, key)}")
        if not 1 <= self.n_pairs <= self.n_latents // 2:
            raise ValueError(
                f"held_out must be a share of the latents from {1 / self.n_latents:g} (one pair) "
                f"to 0.5, got {self.held_out:g}"
            )
        if self.k > self.n_latents / 2:
            raise ValueError(f"k must be at most n_latents / 2, got {self.k}")
        if self.support == "fixed" and self.n_trees:
            raise ValueError(
                "n_trees must be 0 with the support 'fixed': trees change how many are active"
            )

    @property
    def n_pairs(self) -> int:
        """Pairs of latents that are held out."""
        return round(self.held_out * self.n_latents)
