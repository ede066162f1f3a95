"""What a trained SAE is and does on rows of activations, as a file that all questions read."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sae_surgery.files import store
from sae_surgery.files.store import Origin, StoreError, Variable
from sae_surgery.inference.sparse import SparseCodes


@dataclass(frozen=True)
class Reading:
    """Everything in the SAE's own units; samples are those of the file of rows, in its order."""

    dictionary: np.ndarray
    """D (obs, atom), float32."""
    bias: np.ndarray
    """b (obs,): inputs are reconstructed as D z + b."""
    observations: np.ndarray
    """Inputs less b, (sample, obs), float32."""
    codes: SparseCodes
    """The encoder's."""
    fired: np.ndarray
    """In how many of `n_counted` rows each atom is active, (atom,)."""
    n_counted: int
    signed: bool
    facts: Mapping[str, Any] = field(default_factory=dict)
    """How it was read and what was found, for the page; as JSON holds it."""
    digest: str = ""
    """Of the file."""
    made_from: Mapping[str, str] = field(default_factory=dict)
    """Digests of the files that it was made from, by role."""


def write_reading(path: Path, reading: Reading, origin: Origin) -> None:
    """Write a reading.

    Raises
    ------
    StoreError
        If a value is not finite.
    """
    store.write(
        path,
        "reading",
        _variables(reading),
        origin,
        n_counted=reading.n_counted,
        signed=int(reading.signed),
        facts=json.dumps(reading.facts),
    )


def read_reading(path: Path) -> Reading:
    """Read a reading.

    Raises
    ------
    StoreError
        If it is missing, damaged, or of another kind.
    """
    file = store.read(path, "reading")
    dictionary = file["dictionary"].values
    empty = "entry" not in file.sizes or file.sizes["entry"] == 0
    atoms = np.zeros(0, np.int64) if empty else file["atom_index"].values.astype(np.int64)
    values = np.zeros(0) if empty else file["value"].values.astype(np.float64)
    codes = SparseCodes(
        torch.from_numpy(file["n_active"].values.astype(np.int64))[None],
        torch.from_numpy(atoms),
        torch.from_numpy(values),
        dictionary.shape[1],
    )
    return Reading(
        dictionary=dictionary,
        bias=file["bias"].values,
        observations=file["observations"].values,
        codes=codes,
        fired=file["fired"].values,
        n_counted=int(file.attrs["n_counted"]),
        signed=bool(file.attrs["signed"]),
        facts=json.loads(file.attrs["facts"]),
        digest=file.attrs["digest"],
        made_from=json.loads(file.attrs["inputs"]),
    )


def require_rows(path: Path, reading: Reading, digest: str) -> None:
    """Raise StoreError unless a reading was made from the file of rows with that digest."""
    if reading.made_from.get("rows") != digest:
        raise StoreError(f"{path}: stale or foreign; it was made from other rows")


def _variables(reading: Reading) -> Iterator[tuple[str, Variable]]:
    codes = reading.codes
    yield "dictionary", Variable(("obs", "atom"), reading.dictionary, "decoder D")
    yield "bias", Variable(("obs",), reading.bias, "bias of the decoder")
    fired = reading.fired.astype(np.int64)
    yield "fired", Variable(("atom",), fired, "rows in which the atom is active")
    dims = ("sample", "obs")
    yield "observations", Variable(dims, reading.observations, "inputs of the SAE less the bias")
    counts = codes.counts[0].numpy().astype(np.int32)
    yield "n_active", Variable(("sample",), counts, "number of active atoms")
    atoms = codes.atoms.numpy().astype(np.int32)
    yield "atom_index", Variable(("entry",), atoms, "index of the active atom, sample by sample")
    values = codes.values.numpy().astype(np.float32)
    yield "value", Variable(("entry",), values, "its code")
