"""Fit one method on one cell, all seeds, and infer the codes that are scored."""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sae_surgery import methods
from sae_surgery.errors import SurgeryError
from sae_surgery.files.codes import write_codes
from sae_surgery.files.data import CellData
from sae_surgery.files.encoding import as_tensor, encode_scored
from sae_surgery.files.models import lost_with, read_other, why_without, write_model
from sae_surgery.files.store import Origin
from sae_surgery.machine import devices
from sae_surgery.machine.checkpoints import Checkpoint, checkpoint_of, scratch
from sae_surgery.machine.divergence import sound_seeds, status
from sae_surgery.machine.progress import track
from sae_surgery.machine.provenance import source_digest
from sae_surgery.methods.base import Fitted, Lesson, Method, Model, take


def fit(
    name: str,
    data_path: Path,
    parent_path: Path | None,
    settings: Mapping[str, Any],
    device_name: str,
    threads: int,
    model_path: Path,
    codes_path: Path,
    model_name: str | None = None,
) -> None:
    """Fit the method called `name` and write its model and its codes of val and ood.

    A method that cannot run on the cell gives valid files whose status says why, and so do seeds
    whose training diverges.

    Parameters
    ----------
    model_name
        What the model is called in files and tables; None: as the method.

    Raises
    ------
    SurgeryError
        If the method, a setting, the device or an input file is not as it must be.
    """
    method = methods.load(name, settings)
    device = devices.choose(device_name)
    torch.set_num_threads(threads)
    data = CellData(data_path)
    asking = f"--parent: {method.title} starts from"
    parent = read_other(parent_path, method.parent, asking, data, device)
    reason = method.why_not(data.cell) or why_without(parent, method.parent)
    parents = {} if parent is None else {"parent": parent.digest}
    parents |= _digests(name, asdict(method.settings))
    called = model_name or name
    origin = Origin(
        title=f"{method.title}{f' ({called})' * (called != name)} on {data.cell.name}",
        settings=asdict(method.settings),
        code=source_digest(__name__, f"{methods.__name__}.{name}"),
        inputs={"data": data.digest} | parents,
        device=devices.describe(device),
        threads=threads,
        status=f"skipped: {reason}" if reason else "ok",
    )
    print(f"{called} on {data.cell.name}, {origin.device}: {reason or 'begins'}", file=sys.stderr)
    checkpoint = checkpoint_of(scratch(), asdict(origin), device)
    fitted, codes, diverged = Fitted(Model()), None, {}
    if not reason:
        fitted = _fit(method, data, parent, checkpoint)
        codes, diverged = encode_scored(method, fitted.model, data, device, fitted.codes)
    # A model is one of the dictionary and train samples, whatever else it is scored on.
    of_root = replace(origin, inputs={"data": data.root} | parents)
    digest = write_model(
        model_path, fitted.model, data, called, of_root, name if called != name else None
    )
    of_model = replace(origin, inputs=origin.inputs | {"model": digest})
    write_codes(codes_path, codes, data, called, of_model, diverged)
    checkpoint.remove()
    if diverged:
        print(f"{called} on {data.cell.name}: {status(diverged, data.seeds)}", file=sys.stderr)


def _digests(name: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the digests of the user's files that a method reads, by their paths.

    Raises
    ------
    SurgeryError
        If one of them cannot be read.
    """
    found = {}
    for path in methods.files_of(name, settings):
        try:
            with path.open("rb") as file:
                found[f"file {path}"] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise SurgeryError(f"{path}: cannot be read: {error.strerror}") from error
    return found


def _fit(method: Method, data: CellData, parent: Model | None, checkpoint: Checkpoint) -> Fitted:
    """Fit all seeds but those of which the parent has diverged.

    Returns
    -------
    Model and codes of all seeds; what seeds lack that have diverged, the model says.
    """
    n_seeds = len(data.seeds)
    lost = lost_with(parent, method.parent)
    seeds = sound_seeds(lost, n_seeds)
    if not seeds:
        model = Model()
        model.diverged = lost
        return Fitted(model)
    lesson = _lesson(method, data, parent, checkpoint, seeds)
    fitted = method.fit(lesson)
    divergence = lesson.divergence
    divergence.check("in training", *fitted.model.must_be_finite())
    sound = divergence.sound(len(seeds))
    lost |= {seeds[index]: when for index, when in divergence.when.items()}
    places = [seeds[index] for index in sound]
    return Fitted(
        fitted.model.of_seeds(sound).among(places, n_seeds, lost),
        {split: take(codes, sound) for split, codes in fitted.codes.items()},
    )


def _lesson(
    method: Method,
    data: CellData,
    parent: Model | None,
    checkpoint: Checkpoint,
    seeds: Sequence[int],
) -> Lesson:
    """Return what the method declares that it may see of some seeds, by index, and no more."""
    device = checkpoint.device

    def tensor(values: np.ndarray) -> Tensor:
        return take(as_tensor(values, method, device), seeds)

    def true_codes(split: str) -> Tensor:
        dense = [data.true_codes(split, index) for index in seeds]
        return as_tensor(np.stack(dense), method, device)

    offset, scale = (None if each is None else tensor(each) for each in data.units())
    return Lesson(
        cell=data.cell,
        seeds=tuple(data.seeds[index] for index in seeds),
        device=device,
        observations={split: tensor(data.observations(split)) for split in method.learns_from},
        dictionary=tensor(data.dictionary()) if "dictionary" in method.knows else None,
        true_codes=(
            {split: true_codes(split) for split in method.learns_from}
            if "codes" in method.knows
            else {}
        ),
        offset=offset,
        scale=scale,
        parent=None if parent is None else parent.of_seeds(seeds),
        track=track,
        checkpoint=checkpoint,
    )
