"""Fitted models as files."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from sae_surgery import methods
from sae_surgery.errors import SurgeryError
from sae_surgery.files import store
from sae_surgery.files.codes import diverged_variable
from sae_surgery.files.data import CellData
from sae_surgery.files.store import Origin, Variable
from sae_surgery.machine.divergence import NO, status
from sae_surgery.methods.base import Method, Model, Parameter


def write_model(
    path: Path,
    model: Model,
    data: CellData,
    name: str,
    origin: Origin,
    method: str | None = None,
) -> str:
    """Write a model file, and return its digest; an empty model for a method that was skipped.

    Parameters
    ----------
    name
        What the model is called.
    method
        Its method, if that is called otherwise.

    Raises
    ------
    StoreError
        If a parameter holds values that are not finite, of a seed that has not diverged.
    """
    if model.diverged:
        origin = replace(origin, status=status(model.diverged, data.seeds))
    variables, cell = _variables(model, data), data.cell.name
    named = {"model_of": method} if method else {}
    return store.write(path, "model", variables, origin, cell=cell, method=name, **named)


def read_model(path: Path, data: CellData, device: torch.device) -> Model:
    """Read a model file to `device`; empty if its method was skipped.

    Raises
    ------
    StoreError
        If the file is damaged, or its model was not fitted on `data`.
    """
    return _model(store.read(path, "model", {"data": data.root}), device)


def read_other(
    path: Path | None, method: str | None, asking: str, data: CellData, device: torch.device
) -> Model | None:
    """Read the model of another method that a fit or a surgery builds on; None if it needs none.

    Parameters
    ----------
    path
        Of the model file, if one was given.
    method
        Name of the other method, if one is needed.
    asking
        Who needs it, and for what, as an error message begins.

    Raises
    ------
    SurgeryError
        If a model is needed and not given, or given and not needed.
    StoreError
        If the file is damaged, or its model was not fitted on `data`.
    """
    if (path is None) != (method is None):
        raise SurgeryError(f"{asking} {f'a model of {method}' if method else 'no other model'}")
    return None if path is None else read_model(path, data, device)


def why_without(other: Model | None, method: str | None) -> str | None:
    """Say that the method whose model is needed was itself skipped, if so."""
    if other is None or "dictionary" in other or other.diverged:
        return None
    return f"{method}, whose model is needed, cannot run on this cell"


def lost_with(other: Model | None, method: str | None) -> dict[int, str]:
    """Return when seeds diverged, by index, that are lost with the model of another method."""
    diverged = {} if other is None else other.diverged
    return {seed: f"{when} of {method}" for seed, when in diverged.items()}


def read_fitted(path: Path, data: CellData, device: torch.device) -> tuple[str, Method, Model]:
    """Read a model file with its method, which gets the settings it was fitted with.

    Returns
    -------
    Name of the model, which mostly is its method's; the method; and the model, which is empty if
    the method was skipped.

    Raises
    ------
    StoreError
        If the file is damaged, or its model was not fitted on `data`.
    """
    file = store.read(path, "model", {"data": data.root})
    name, settings = file.attrs["method"], json.loads(file.attrs["settings"])
    method = methods.load(file.attrs.get("model_of", name), settings)
    return name, method, _model(file, device)


def _model(file: xr.Dataset, device: torch.device) -> Model:
    model = Model(
        {
            name: Parameter(
                torch.from_numpy(variable.values).to(device),
                tuple(str(dim) for dim in variable.dims[1:]),
                variable.attrs["long_name"],
                variable.attrs.get("nan_means"),
            )
            for name, variable in file.data_vars.items()
            if name != "diverged"
        }
    )
    model.digest, model.status = file.attrs["digest"], file.attrs["status"]
    if "diverged" in file:
        whens = enumerate(file["diverged"].values.tolist())
        model.diverged = {seed: when for seed, when in whens if when != NO}
    return model


def _variables(model: Model, data: CellData) -> Iterator[tuple[str, Variable]]:
    yield "seed", Variable(("seed",), np.array(data.seeds, np.int64), "seed of the random stream")
    for name, parameter in model.items():
        values = parameter.values.cpu().numpy()
        dims = ("seed", *parameter.dims)
        yield name, Variable(dims, values, parameter.long_name, nan_means=parameter.nan_means)
    if model.diverged:
        yield "diverged", diverged_variable(("seed",), model.diverged, (len(data.seeds),))
