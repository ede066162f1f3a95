"""Fit one method on one cell, all seeds, and infer the codes that are scored."""

import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sae_surgery import devices, methods
from sae_surgery.checkpoints import Checkpoint, checkpoint_of, scratch
from sae_surgery.codes import write_codes
from sae_surgery.data import CellData
from sae_surgery.encoding import as_tensor, encode_scored
from sae_surgery.methods.base import Fitted, Method, Model, Problem
from sae_surgery.models import read_other, why_without, write_model
from sae_surgery.progress import track
from sae_surgery.provenance import source_digest
from sae_surgery.store import Origin


def fit(
    name: str,
    data_path: Path,
    parent_path: Path | None,
    settings: Mapping[str, Any],
    device_name: str,
    threads: int,
    model_path: Path,
    codes_path: Path,
) -> None:
    """Fit the method called `name` and write its model and its codes of val and ood.

    A method that cannot run on the cell gives valid files whose status says why.

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
    origin = Origin(
        title=f"{method.title} on {data.cell.name}",
        settings=asdict(method.settings),
        code=source_digest(__name__, f"{methods.__name__}.{name}"),
        inputs={"data": data.digest} | parents,
        device=devices.describe(device),
        threads=threads,
        status=f"skipped: {reason}" if reason else "ok",
    )
    print(f"{name} on {data.cell.name}, {origin.device}: {origin.status}", file=sys.stderr)
    checkpoint = checkpoint_of(scratch(), asdict(origin), device)
    problem = _problem(method, data, parent, checkpoint)
    fitted = Fitted(Model()) if reason else method.fit(problem)
    codes = None if reason else encode_scored(method, fitted.model, data, device, fitted.codes)
    # A model is one of the dictionary and train samples, whatever else it is scored on.
    of_root = replace(origin, inputs={"data": data.root} | parents)
    write_model(model_path, fitted.model, data, name, of_root)
    write_codes(codes_path, codes, data, name, origin)
    checkpoint.remove()


def _problem(
    method: Method, data: CellData, parent: Model | None, checkpoint: Checkpoint
) -> Problem:
    """Return what the method declares that it may see, and nothing else."""
    device = checkpoint.device

    def true_codes(split: str) -> Tensor:
        dense = [data.true_codes(split, index) for index in range(len(data.seeds))]
        return as_tensor(np.stack(dense), method, device)

    return Problem(
        cell=data.cell,
        seeds=data.seeds,
        device=device,
        observations={
            split: as_tensor(data.observations(split), method, device)
            for split in method.learns_from
        },
        dictionary=(
            as_tensor(data.dictionary(), method, device) if "dictionary" in method.knows else None
        ),
        true_codes=(
            {split: true_codes(split) for split in method.learns_from}
            if "codes" in method.knows
            else {}
        ),
        parent=parent,
        track=track,
        checkpoint=checkpoint,
    )
