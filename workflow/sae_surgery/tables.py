"""Tables of an experiment: the metrics of its cells, laid out over methods, sweep and seeds."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from sae_surgery import methods
from sae_surgery.errors import SurgeryError
from sae_surgery.problem import Cell
from sae_surgery.store import Variable

LONG_NAMES = {
    "n_latents": "number of latents n",
    "k": "number of active latents k",
    "n_samples": "number of in-distribution samples",
    "obs_dim_factor": "constant c of the observation dimension m = c k ln(n / k)",
}
MISSING = "method skipped, metric not defined for it, or no such cell in the sweep"


def tabulate(
    sweep: Mapping[str, Any], metrics: Sequence[xr.Dataset]
) -> Iterator[tuple[str, Variable]]:
    """Lay out the metrics of a sweep's cells over (`method`, *sweep variables, `seed`).

    Parameters
    ----------
    sweep
        `over` (names of the sweep variables), `methods`, `seeds`, and `cells`: a list of mappings
        with the cell's name under `cell` and a value for each name in `over`.
    metrics
        The contents of the cells' metrics files, in any order.

    Yields
    ------
    Name and variable, coordinates first. Combinations that are no cell of the sweep are NaN.

    Raises
    ------
    SurgeryError
        If the metrics lack a cell, a method or a seed of the sweep.
    """
    by_cell = {file.attrs["cell"]: file for file in metrics}
    axes = {name: sorted({cell[name] for cell in sweep["cells"]}) for name in sweep["over"]}
    chosen = [
        (
            tuple(axes[name].index(cell[name]) for name in axes),
            _select(by_cell, cell["cell"], sweep),
        )
        for cell in sweep["cells"]
    ]
    yield from _coordinates(sweep, axes)
    yield "obs_dim", _observation_dims(sweep, axes)
    for name, described in chosen[0][1].data_vars.items():
        if described.dims == ("method", "seed"):
            yield name, _lay_out(name, chosen, axes, described.attrs)


def _select(by_cell: Mapping[str, xr.Dataset], cell: str, sweep: Mapping[str, Any]) -> xr.Dataset:
    """Return a cell's metrics for the methods and seeds of the sweep, in its order."""
    if cell not in by_cell:
        raise SurgeryError(f"the metrics of the cell {cell} are missing")
    for dim in ("method", "seed"):
        lacking = set(sweep[f"{dim}s"]) - set(by_cell[cell][dim].values.tolist())
        if lacking:
            raise SurgeryError(f"the metrics of the cell {cell} lack the {dim} {lacking.pop()!r}")
    # As a mapping, because `method` is also an argument of `sel`.
    return by_cell[cell].sel({"method": list(sweep["methods"]), "seed": list(sweep["seeds"])})


def _coordinates(
    sweep: Mapping[str, Any], axes: Mapping[str, list]
) -> Iterator[tuple[str, Variable]]:
    names = list(sweep["methods"])
    yield "method", Variable(("method",), np.array(names), "name of the method", None)
    for trait, long_name in (("title", "name in figures"), ("family", "kind of method")):
        values = np.array([methods.trait(name, trait) for name in names])
        yield trait, Variable(("method",), values, long_name, None)
    for name, values in axes.items():
        yield name, Variable((name,), np.array(values), LONG_NAMES[name])
    yield "seed", Variable(("seed",), np.array(sweep["seeds"]), "seed of the random stream")


def _observation_dims(sweep: Mapping[str, Any], axes: Mapping[str, list]) -> Variable:
    """Return m at each point of the sweep; 0 where there is no cell."""
    dims = np.zeros([len(values) for values in axes.values()], np.int64)
    for cell in sweep["cells"]:
        place = tuple(axes[name].index(cell[name]) for name in axes)
        dims[place] = Cell.parse(cell["cell"]).obs_dim
    return Variable(tuple(axes), dims, "observation dimension m; 0 where there is no cell")


def _lay_out(
    name: str,
    chosen: Sequence[tuple[tuple[int, ...], xr.Dataset]],
    axes: Mapping[str, list],
    described: Mapping[str, str],
) -> Variable:
    """Put one metric of all cells into one array."""
    n_methods, n_seeds = chosen[0][1][name].shape
    shape = (n_methods, *(len(values) for values in axes.values()), n_seeds)
    values = np.full(shape, np.nan)
    for place, metrics in chosen:
        values[(slice(None), *place)] = metrics[name].values
    dims = ("method", *axes, "seed")
    return Variable(dims, values, described["long_name"], described["units"], MISSING)
