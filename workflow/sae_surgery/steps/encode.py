"""Infer the codes of a cell's scored samples by a model that is fitted already."""

import sys
from dataclasses import asdict
from pathlib import Path

import torch

from sae_surgery.files.codes import write_codes
from sae_surgery.files.data import CellData
from sae_surgery.files.encoding import encode_scored
from sae_surgery.files.models import read_fitted
from sae_surgery.files.store import SKIPPED, Origin
from sae_surgery.machine import devices
from sae_surgery.machine.provenance import source_digest


def encode(data_path: Path, model_path: Path, device_name: str, threads: int, output: Path) -> None:
    """Write the codes of val and ood; none, with the reason, of a model that was skipped.

    Raises
    ------
    SurgeryError
        If the device or a file is not as it must be, or the model is of another dictionary.
    """
    device = devices.choose(device_name)
    torch.set_num_threads(threads)
    data = CellData(data_path)
    name, method, model = read_fitted(model_path, data, device)
    origin = Origin(
        title=f"Codes of {method.title} on {data.cell.name}",
        settings=asdict(method.settings),
        code=source_digest(__name__, type(method).__module__),
        inputs={"data": data.digest, "model": model.digest},
        device=devices.describe(device),
        threads=threads,
        status=model.status,
    )
    print(f"{name} on {data.cell.name}, {origin.device}: {origin.status}", file=sys.stderr)
    skipped = model.status.startswith(SKIPPED)
    codes, diverged = (None, {}) if skipped else encode_scored(method, model, data, device)
    write_codes(output, codes, data, name, origin, diverged)
