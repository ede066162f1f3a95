"""Drawn data as a file: all seeds of a problem."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sae_surgery.files import store
from sae_surgery.files.store import Origin, Slices, Variable
from sae_surgery.problems.base import SPLITS, Drawn, Problem


def write_drawn(
    path: Path,
    problem: Problem,
    seeds: Sequence[int],
    sizes: Sequence[int],
    drawn: Iterable[Drawn],
    origin: Origin,
) -> None:
    """Write a data file.

    Parameters
    ----------
    sizes
        Number of samples of train, val and ood.
    drawn
        The data of each seed, made one at a time: dictionaries of large cells fill gigabytes.

    Raises
    ------
    StoreError
        If values are not finite.
    """
    store.write(
        path,
        "data",
        _variables(problem, seeds, sizes, drawn),
        origin,
        cell=problem.name,
        problem=problem.kind(),
        problem_settings=problem.settings_json,
    )


def _variables(
    problem: Problem, seeds: Sequence[int], sizes: Sequence[int], drawn: Iterable[Drawn]
) -> Iterator[tuple[str, Variable]]:
    yield "seed", Variable(("seed",), np.array(seeds, np.int64), "seed of the random stream")
    split = np.repeat(SPLITS, sizes)
    yield "split", Variable(("sample",), split, "split that the sample belongs to", None)
    rest: list[Drawn] = []
    if "dictionary" in problem.knows:
        shape = (len(seeds), problem.obs_dim, problem.n_latents)
        dictionaries = Slices(shape, np.dtype(np.float64), _dictionaries(drawn, rest))
        yield "dictionary", Variable(("seed", "obs", "latent"), dictionaries, "true dictionary A")
    else:
        rest += drawn
    if rest[0].support is not None:
        active = ("seed", "sample", "active")
        support = np.stack(as_wide([each.support for each in rest]))
        long_name = "index of the active latent, in order drawn; -1 where fewer are active"
        yield "support", Variable(active, support, long_name, None)
        magnitude = np.stack(as_wide([each.magnitude for each in rest]))
        yield "magnitude", Variable(active, magnitude, "value of the active latent")
    if rest[0].observations is not None:
        values = np.stack([each.observations for each in rest])
        yield "observations", Variable(("seed", "sample", "obs"), values, "observations Y")
    if rest[0].labels is not None:
        values = np.stack([each.labels for each in rest]).astype(np.int8)
        yield "label", Variable(("seed", "sample"), values, "binary label", None)
    if rest[0].offset is not None:
        values = np.stack([each.offset for each in rest])
        yield "offset", Variable(("seed", "obs"), values, "what was subtracted from observations")
    if rest[0].scale is not None:
        values = np.array([each.scale for each in rest])
        yield "scale", Variable(("seed",), values, "what observations were then divided by")


def _dictionaries(drawn: Iterable[Drawn], rest: list[Drawn]) -> Iterator[np.ndarray]:
    """Yield each seed's dictionary, and keep what else was drawn with it in `rest`."""
    for each in drawn:
        rest.append(replace(each, dictionary=None))
        yield each.dictionary[None]


def as_wide(parts: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return arrays (sample, …) as wide as the widest; supports are filled up with −1."""
    width = max(part.shape[-1] for part in parts)
    return [_widened(part, width) if part.ndim == 2 else part for part in parts]


def _widened(part: np.ndarray, width: int) -> np.ndarray:
    fill = -1 if part.dtype.kind == "i" else 0
    return np.pad(part, ((0, 0), (0, width - part.shape[1])), constant_values=fill)
