"""Patches of photographs, Olshausen and Field's data: observations alone.

The two photographs come with scikit-learn. Learning and validation see one of them; the other is
out of distribution. Patches are grey, lose their mean, and are whitened by the principal components
of those learned from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from sae_surgery.problems.base import Drawn, Problem

if TYPE_CHECKING:
    import numpy as np

PHOTOGRAPH, OTHER_PHOTOGRAPH = "china.jpg", "flower.jpg"
DRAW_STREAM = 19
"""Tells a seed's stream of places from any other that it is given to."""


@dataclass(frozen=True)
class Patches(Problem):
    """Whitened patches, of a mean squared norm of one.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    n_latents: int
    """Atoms asked of learners."""
    k: int
    """Active atoms of methods with a fixed number."""
    n_samples: int
    """Patches of the first photograph: half to learn from, half held out."""
    size: int = 12
    """Width and height of a patch in pixels."""
    components: int = 100
    """Principal components that are kept, the dimension of an observation."""

    abbreviations: ClassVar[Mapping[str, str]] = {"n_latents": "n", "k": "k", "n_samples": "s"}

    def __post_init__(self) -> None:
        """Refuse numbers that no patches have."""
        for key, low, high in (
            ("n_latents", 1, None),
            ("k", 1, self.n_latents),
            ("n_samples", 4, None),
            ("size", 2, 64),
            # The mean is gone.
            ("components", 1, self.size**2 - 1),
        ):
            value = getattr(self, key)
            if not isinstance(value, int) or value < low or (high is not None and value > high):
                allowed = f"from {low} to {high}" if high is not None else f"from {low}"
                raise ValueError(f"{key} must be a whole number {allowed}, got {value!r}")

    @classmethod
    def variables(cls) -> dict[str, Any]:
        """Return what a sweep may vary."""
        return super().variables() | {"n_latents": 200, "k": 10, "n_samples": 20_000}

    @classmethod
    def at(cls, place: Mapping[str, Any]) -> "Patches":
        """Make the problem at one place of a sweep."""
        return cls(**(cls.variables() | dict(place)))

    @property
    def obs_dim(self) -> int:
        """Dimension of an observation."""
        return self.components

    def draw(self, seed: int) -> Drawn:
        """Draw places, cut patches out and whiten them."""
        import numpy as np

        stream = np.random.default_rng([DRAW_STREAM, seed])
        here = _cut(PHOTOGRAPH, self.size, self.n_samples, stream)
        there = _cut(OTHER_PHOTOGRAPH, self.size, self.n_ood, stream)
        patches = np.concatenate([here, there])
        mean = patches[: self.n_train].mean(axis=0)
        _, widths, components = np.linalg.svd(patches[: self.n_train] - mean, full_matrices=False)
        # Of unit variance in each component, times 1 / √m for a mean squared norm of one.
        scale = np.sqrt(self.n_train / self.components) / widths[: self.components]
        whitened = (patches - mean) @ (components[: self.components].T * scale)
        return Drawn(observations=whitened.astype(np.float32))


def _cut(photograph: str, size: int, count: int, stream: "np.random.Generator") -> "np.ndarray":
    """Cut square grey patches (patch, pixel) without their means out of a photograph."""
    import numpy as np
    from sklearn.datasets import load_sample_image

    grey = load_sample_image(photograph).mean(axis=2) / 255
    windows = np.lib.stride_tricks.sliding_window_view(grey, (size, size))
    rows, columns = (stream.integers(0, length, count) for length in windows.shape[:2])
    patches = windows[rows, columns].reshape(count, -1)
    return patches - patches.mean(axis=1, keepdims=True)
