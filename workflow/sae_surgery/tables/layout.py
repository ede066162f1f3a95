"""Tables of an experiment: the metrics of its cells, laid out over methods, sweep and seeds."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from sae_surgery import methods
from sae_surgery.errors import SurgeryError
from sae_surgery.files.store import Variable
from sae_surgery.machine.divergence import said_of
from sae_surgery.problems.paper import Cell
from sae_surgery.tables.scoring import UNDEFINED

LONG_NAMES = {
    "n_latents": "number of latents n",
    "k": "number of active latents k",
    "n_samples": "number of in-distribution samples",
    "samples_per_latent": "samples to learn from per latent",
    "obs_dim_factor": "constant c of the observation dimension m = c k ln(n / k)",
}
MISSING = "method skipped, diverged or left out, metric not defined, or nothing at this place"

Axes = dict[str, list]


def tabulate(
    sweep: Mapping[str, Any], metrics: Sequence[xr.Dataset]
) -> Iterator[tuple[str, Variable]]:
    """Lay out the metrics of a sweep's cells.

    Parameters
    ----------
    sweep
        `over` (names of the sweep variables), `methods`, `seeds`, `cells` (a list of mappings with
        the cell's name under `cell` and a value for each name in `over`), and `left_out` (by
        method, the cells that are not to have it). Of methods that are models with names of their
        own, `models` has `title` and `family` by name.
    metrics
        The contents of the cells' metrics files, in any order: over (`method`, `seed`), or those of
        a surgery over (`method`, `condition`, `seed`), with its own sweep variable if it has one.

    Yields
    ------
    Name and variable, coordinates first, over (`method`, `condition`, *over, `seed`, own sweep
    variable) as far as there are such. Combinations that are no cell of the sweep are NaN, and
    methods where they are left out.

    Raises
    ------
    SurgeryError
        If the metrics lack a cell, a method or a seed of the sweep.
    """
    by_cell = {file.attrs["cell"]: file for file in metrics}
    over: Axes = {name: sorted({cell[name] for cell in sweep["cells"]}) for name in sweep["over"]}
    chosen = [(cell, _select(by_cell, cell["cell"], sweep)) for cell in sweep["cells"]]
    axes = _axes(over, sweep["methods"], [file for _, file in chosen])
    yield from _coordinates(sweep, axes, chosen[0][1])
    yield "obs_dim", _observation_dims(sweep, over)
    if "samples_per_latent" in over:
        yield "least_samples_per_latent", _least_samples(sweep, over)
    for name, described in chosen[0][1].data_vars.items():
        if "seed" in described.dims:
            yield name, _lay_out(name, chosen, axes, over)


def tell_diverged(sweep: Mapping[str, Any], metrics: Sequence[xr.Dataset]) -> Iterator[str]:
    """Say which seeds of the sweep have no values because their training diverged.

    Arguments and errors are those of `tabulate`.

    Yields
    ------
    A sentence a method and cell: `sae_relu on n50_k10_m40_s1000: seed 0 at epoch 3`.
    """
    by_cell = {file.attrs["cell"]: file for file in metrics}
    for cell in (each["cell"] for each in sweep["cells"]):
        chosen = _select(by_cell, cell, sweep)
        for name, status in zip(chosen["method"].values, chosen["status"].values, strict=True):
            if said := said_of(str(status), sweep["seeds"]):
                yield f"{name} on {cell}: {', '.join(said)}"


def _select(by_cell: Mapping[str, xr.Dataset], cell: str, sweep: Mapping[str, Any]) -> xr.Dataset:
    """Return a cell's metrics for the sweep's seeds and those of its methods that it has there."""
    if cell not in by_cell:
        raise SurgeryError(f"the metrics of the cell {cell} are missing")
    present = [name for name in sweep["methods"] if cell not in sweep["left_out"].get(name, ())]
    wanted = {"method": present, "seed": list(sweep["seeds"])}
    for dim, names in wanted.items():
        lacking = set(names) - set(by_cell[cell][dim].values.tolist())
        if lacking:
            raise SurgeryError(f"the metrics of the cell {cell} lack the {dim} {lacking.pop()!r}")
    # As a mapping, because `method` is also an argument of `sel`.
    return by_cell[cell].sel(wanted)


def _axes(over: Axes, names: Sequence[str], files: Sequence[xr.Dataset]) -> Axes:
    """Return all dimensions of the table with their values, in order."""
    axes: Axes = {"method": list(names)}
    if "condition" in files[0].dims:
        found = (condition for file in files for condition in file["condition"].values.tolist())
        axes["condition"] = list(dict.fromkeys(found))
    axes |= over
    axes["seed"] = files[0]["seed"].values.tolist()
    for name in files[0].dims:
        if name not in axes:
            axes[name] = sorted(set().union(*(file[name].values.tolist() for file in files)))
    return axes


def _coordinates(
    sweep: Mapping[str, Any], axes: Axes, file: xr.Dataset
) -> Iterator[tuple[str, Variable]]:
    models, long_names = sweep.get("models", {}), LONG_NAMES | sweep.get("long_names", {})
    for trait, long_name in (("title", "name in figures"), ("family", "kind of method")):
        values = np.array(
            [
                models[name][trait] if name in models else methods.trait(name, trait)
                for name in axes["method"]
            ]
        )
        yield trait, Variable(("method",), values, long_name, None)
    for name, values in axes.items():
        own = name in sweep["over"]
        long_name = long_names.get(name, name) if own else file[name].attrs["long_name"]
        units = None if isinstance(values[0], str) else "1"
        yield name, Variable((name,), np.array(values), long_name, units)


def _observation_dims(sweep: Mapping[str, Any], over: Axes) -> Variable:
    """Return m at each point of the sweep; 0 where there is no cell."""
    dims = np.zeros([len(values) for values in over.values()], np.int64)
    for cell in sweep["cells"]:
        place = tuple(over[name].index(cell[name]) for name in over)
        dims[place], _ = _sizes(sweep, cell["cell"])
    return Variable(tuple(over), dims, "observation dimension m; 0 where there is no cell")


def _sizes(sweep: Mapping[str, Any], cell: str) -> tuple[int, int]:
    """Return m and k of a cell; those of the paper have them in their names."""
    try:
        sizes = sweep.get("sizes", {}).get(cell) or vars(Cell.parse(cell))
    except ValueError as error:
        raise SurgeryError(f"the sizes of the cell {cell} are missing") from error
    return sizes["obs_dim"], sizes["k"]


def _least_samples(sweep: Mapping[str, Any], over: Axes) -> Variable:
    """Return (m − 1) / (m − k) at each point of the sweep.

    N samples are N m numbers, k codes of each and n unit atoms are N k + n (m − 1): from fewer
    samples than n (m − 1) / (m − k) these are not determined.
    """
    least = np.full([len(values) for values in over.values()], np.nan)
    for cell in sweep["cells"]:
        obs_dim, k = _sizes(sweep, cell["cell"])
        if obs_dim > k:
            place = tuple(over[name].index(cell[name]) for name in over)
            least[place] = (obs_dim - 1) / (obs_dim - k)
    long_name = "samples per latent that codes and atoms are as many numbers as"
    return Variable(tuple(over), least, long_name, "1", "no cell, or k is not below m")


def _lay_out(
    name: str,
    chosen: Sequence[tuple[Mapping[str, Any], xr.Dataset]],
    axes: Axes,
    over: Axes,
) -> Variable:
    """Put one metric of all cells into one array."""
    values = np.full([len(values) for values in axes.values()], np.nan)
    within = [dim for dim in axes if dim not in over]
    for cell, file in chosen:
        metric = file[name].reindex({dim: axes[dim] for dim in within}).transpose(*within)
        place = tuple(axes[dim].index(cell[dim]) if dim in over else slice(None) for dim in axes)
        values[place] = metric.values
    described = chosen[0][1][name].attrs
    undefined = described.get("nan_means", "").startswith(UNDEFINED)
    missing = described["nan_means"] if undefined else MISSING
    return Variable(tuple(axes), values, described["long_name"], described["units"], missing)
