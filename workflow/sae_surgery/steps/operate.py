"""Do one surgery on one fitted model, all seeds."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sae_surgery import surgeries
from sae_surgery.files.codes import Codes
from sae_surgery.files.data import CellData
from sae_surgery.files.encoding import as_tensor
from sae_surgery.files.models import lost_with, read_fitted, read_other, why_without
from sae_surgery.files.operations import write_operation
from sae_surgery.files.store import SKIPPED, Origin
from sae_surgery.machine import devices
from sae_surgery.machine.checkpoints import Checkpoint, checkpoint_of, scratch
from sae_surgery.machine.divergence import sound_seeds, status
from sae_surgery.machine.progress import track
from sae_surgery.machine.provenance import source_digest
from sae_surgery.methods.base import Method, Model, take
from sae_surgery.surgeries.base import Patient, Surgery


def operate(
    name: str,
    data_path: Path,
    model_path: Path,
    codes_path: Path,
    settings: Mapping[str, Any],
    device_name: str,
    threads: int,
    output: Path,
    donor_path: Path | None = None,
) -> None:
    """Do the surgery called `name` and write the codes of its outcomes.

    A model that the surgery cannot be done on gives a valid file whose status says why.

    Raises
    ------
    SurgeryError
        If the surgery, a setting, the device or an input file is not as it must be.
    """
    surgery = surgeries.load(name, settings)
    device = devices.choose(device_name)
    torch.set_num_threads(threads)
    data = CellData(data_path)
    method_name, method, model = read_fitted(model_path, data, device)
    codes = Codes(codes_path, data)
    asking = f"--donor: {surgery.title} takes a part from"
    donor = read_other(donor_path, surgery.donor, asking, data, device)
    codes.require_model(model_path, method_name, model.digest)
    lost = lost_with(donor, surgery.donor) | codes.diverged()
    seeds = sound_seeds(lost, len(data.seeds))
    reason = _why_not(surgery, codes, model) or why_without(donor, surgery.donor)
    origin = Origin(
        title=f"{surgery.title} of {method.title} on {data.cell.name}",
        settings=asdict(surgery.settings),
        code=source_digest(__name__, f"{surgeries.__name__}.{name}"),
        inputs={"data": data.digest, "model": model.digest, "codes": codes.digest}
        | ({} if donor is None else {"donor": donor.digest}),
        device=devices.describe(device),
        threads=threads,
        status=f"skipped: {reason}" if reason else status(lost, data.seeds),
    )
    print(f"{name} of {method_name} on {data.cell.name}: {origin.status}", file=sys.stderr)
    checkpoint = checkpoint_of(scratch(), asdict(origin), device)
    patient = None
    if seeds and not reason:
        patient = _patient(surgery, method, model, codes, donor, data, checkpoint, seeds)
    write_operation(output, name, surgery, patient, data, method_name, origin, lost)
    checkpoint.remove()


def _why_not(surgery: Surgery, codes: Codes, model: Model) -> str | None:
    """Return why the surgery cannot be done on any seed, or None if it can."""
    if codes.status.startswith(SKIPPED):
        return codes.status.removeprefix(SKIPPED)
    return None if codes.empty else surgery.why_not(model)


def _patient(
    surgery: Surgery,
    method: Method,
    model: Model,
    codes: Codes,
    donor: Model | None,
    data: CellData,
    checkpoint: Checkpoint,
    seeds: Sequence[int],
) -> Patient:
    """Return the patient of some seeds, by index: those that have not diverged."""

    def tensor(values: np.ndarray) -> Tensor:
        return take(as_tensor(values, method, checkpoint.device), seeds)

    return Patient(
        cell=data.cell,
        seeds=tuple(data.seeds[seed] for seed in seeds),
        method=method,
        model=model.of_seeds(seeds),
        observations={split: tensor(data.observations(split)) for split in data.scored},
        codes={
            split: as_tensor(
                np.stack([codes.dense(split, seed) for seed in seeds]), method, checkpoint.device
            )
            for split in data.scored
        },
        truth=tensor(data.dictionary()) if "dictionary" in data.knows else None,
        train=tensor(data.observations("train")) if surgery.needs_train else None,
        donor=None if donor is None else donor.of_seeds(seeds),
        track=track,
        checkpoint=checkpoint,
    )
