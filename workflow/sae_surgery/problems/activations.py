"""A user's own activations: observations alone, or with labels."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sae_surgery.errors import SurgeryError
from sae_surgery.problems._matrices import open_matrix, read_labels
from sae_surgery.problems.base import Drawn, Problem

if TYPE_CHECKING:
    import numpy as np

    from sae_surgery.problems._matrices import Matrix

UNSAFE = re.compile(r"[^A-Za-z0-9.+-]+")
DRAW_STREAM = 17
"""Tells a seed's stream of rows from any other that it is given to."""


@dataclass(frozen=True)
class Activations(Problem):
    """Rows of a file of activations, drawn at random for each seed, without replacement.

    Raises
    ------
    ValueError
        If a number is not positive.
    SurgeryError
        If a file is missing or unfit, or has too few rows.
    """

    observations: str
    """File or folder of activations (sample, dimension)."""
    n_latents: int
    """Atoms asked of learners."""
    k: int
    """Active atoms of methods with a fixed number."""
    n_samples: int
    """Rows used in distribution: half to learn from, half held out."""
    ood: str = ""
    """Another file, of activations out of distribution, of which half as many rows are used."""
    labels: str = ""
    """File of one binary label a row, of `observations` and then of `ood`."""
    subtract_mean: bool = True
    """Whether the mean of the rows learned from is taken off."""
    scale: bool = True
    """Whether rows are divided by the root of the mean squared norm of those learned from."""

    knows: ClassVar[tuple[str, ...]] = ("labels",)
    abbreviations: ClassVar[Mapping[str, str]] = {"n_latents": "n", "k": "k", "n_samples": "s"}

    def __post_init__(self) -> None:
        """Refuse sizes that no data has."""
        for key in self.abbreviations:
            value = getattr(self, key)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{key} must be a positive integer, got {value!r}")
        if self.n_samples < 4:
            raise ValueError(f"n_samples must be at least 4, got {self.n_samples}")

    @classmethod
    def variables(cls) -> dict[str, Any]:
        """Return what a sweep may vary."""
        sizes = {"n_latents": 1000, "k": 10, "n_samples": 20_000}
        return super().variables() | {"observations": ""} | sizes

    @classmethod
    def at(cls, place: Mapping[str, Any]) -> "Activations":
        """Make the problem at one place of a sweep."""
        values = cls.variables() | dict(place)
        if not values["observations"]:
            raise ValueError("observations must name a file or a folder of activations")
        return cls(**values)

    @property
    def name(self) -> str:
        """The problem as a path component, ``activations_layer6_n4096_k32_s20000_1a2b3c4d``."""
        stem = UNSAFE.sub("-", Path(self.observations).stem)[:40]
        return f"activations_{stem}_n{self.n_latents}_k{self.k}_s{self.n_samples}_{self.digest}"

    @property
    def obs_dim(self) -> int:
        """Width of the activations, read from the file."""
        return self._matrix.width

    @property
    def n_ood(self) -> int:
        """Rows of the file `ood`, if one is given."""
        return self.n_samples // 2 if self.ood else 0

    def files(self) -> tuple[Path, ...]:
        """Return the files of activations and labels."""
        return tuple(Path(name) for name in (self.observations, self.ood, self.labels) if name)

    def draw(self, seed: int) -> Drawn:
        """Draw rows, take their mean off and scale them as asked."""
        import numpy as np

        stream = np.random.default_rng([DRAW_STREAM, seed])
        rows = _draw_rows(self._matrix, self.n_samples, stream)
        parts, labelled = [self._matrix.take(rows)], [rows]
        if self.ood:
            further = open_matrix(Path(self.ood))
            ood_rows = _draw_rows(further, self.n_ood, stream)
            parts.append(further.take(ood_rows))
            labelled.append(self._matrix.n_rows + ood_rows)
        observations = np.concatenate(parts)
        train = observations[: self.n_train]
        offset = train.mean(axis=0) if self.subtract_mean else np.zeros(self.obs_dim, np.float32)
        centred = observations - offset
        power = np.mean(np.sum(np.square(centred[: self.n_train], dtype=np.float64), axis=1))
        scale = float(np.sqrt(power)) if self.scale else 1.0
        if not scale > 0:
            raise SurgeryError(f"{self.observations}: all rows that were drawn are equal")
        return Drawn(
            observations=centred / np.float32(scale),
            labels=self._labels(np.concatenate(labelled)) if self.labels else None,
            offset=offset,
            scale=scale,
        )

    @cached_property
    def _matrix(self) -> "Matrix":
        return open_matrix(Path(self.observations))

    def _labels(self, rows: "np.ndarray") -> "np.ndarray":
        """Return the labels (row,) of rows, counted through both files."""
        labels = read_labels(Path(self.labels))
        expected = self._matrix.n_rows + (open_matrix(Path(self.ood)).n_rows if self.ood else 0)
        if len(labels) != expected:
            raise SurgeryError(
                f"{self.labels}: {expected} labels are needed, one a row, got {len(labels)}"
            )
        return labels[rows]


def _draw_rows(matrix: "Matrix", size: int, stream: "np.random.Generator") -> "np.ndarray":
    if matrix.n_rows < size:
        raise SurgeryError(f"{matrix.path}: {size} rows are needed, it has {matrix.n_rows}")
    return stream.choice(matrix.n_rows, size, replace=False)
