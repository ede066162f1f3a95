"""Where the numbers are computed: the choice of device and of threads, and their names."""

import platform
from pathlib import Path

import torch

from sae_surgery.errors import SurgeryError
from sae_surgery.machine import gpus

CHOICES = ("auto", "cpu", "cuda")


def choose(name: str) -> torch.device:
    """Return the device called `name`: `cpu`, `cuda`, or `auto` (CUDA where there is one).

    A GPU is this process's alone from then on; it is waited for if all are taken.

    Raises
    ------
    SurgeryError
        If `cuda` is asked for and PyTorch sees none: there is no silent fallback.
    """
    if name not in CHOICES:
        raise SurgeryError(f"device: {name!r} is unknown; allowed are {', '.join(CHOICES)}")
    if name == "cuda" and not torch.cuda.is_available():
        raise SurgeryError("device: 'cuda' was asked for, but PyTorch sees no CUDA device here")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return _own_gpu() if name == "cuda" else torch.device("cpu")


def _own_gpu() -> torch.device:
    index = 0
    if not gpus.given_by_scheduler():
        indices = range(torch.cuda.device_count())
        index = gpus.claim([str(torch.cuda.get_device_properties(i).uuid) for i in indices])
    # Graphs and streams are made on the current device, wherever their tensors lie.
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


def describe(device: torch.device) -> str:
    """Return kind and model of a device, such as `cuda (NVIDIA H200)`."""
    model = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return f"{device.type} ({model})"


def _processor() -> str:
    """Return the processor's model; `platform.processor()` is empty on most Linux systems."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
