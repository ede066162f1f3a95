"""One process on each GPU of a workstation; nothing here imports PyTorch.

Snakemake counts jobs with a GPU but hands none out. So the workflow starts no more of them at a
time than there are GPUs, and each step claims one of its own: a lock that the system gives back
when the process ends, however it ends.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

SECONDS_BETWEEN_TRIES = 1.0

_claimed: list[IO[bytes]] = []


def count(environment: Mapping[str, str] = os.environ) -> int:
    """Return how many GPUs there are: those of CUDA_VISIBLE_DEVICES, or all that the driver lists.

    It is 0 where there is no `nvidia-smi`.
    """
    if "CUDA_VISIBLE_DEVICES" in environment:
        return len([name for name in environment["CUDA_VISIBLE_DEVICES"].split(",") if name])
    command = shutil.which("nvidia-smi", path=environment.get("PATH"))
    if command is None:
        return 0
    shown = subprocess.run([command, "-L"], capture_output=True, text=True, errors="replace").stdout
    return sum(line.startswith("GPU ") for line in shown.splitlines())


def given_by_scheduler(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether a scheduler has chosen this process's GPUs, which are then its own."""
    return "SLURM_JOB_ID" in environment


def claim(names: Sequence[str], folder: Path | None = None) -> int:
    """Wait for a GPU that no other process of this user has claimed, and keep it to the end.

    Parameters
    ----------
    names
        What tells the GPUs apart whatever their order, such as their UUIDs.
    folder
        Where the locks lie, on a disk of this machine; the default is among temporary files.

    Returns
    -------
    Index of the GPU in `names`.
    """
    folder = folder or Path(tempfile.gettempdir()) / f"sae-surgery-gpus-{os.getuid()}"
    folder.mkdir(parents=True, exist_ok=True)
    index = _try(names, folder)
    if index is None:
        print(f"waiting for one of {len(names)} GPUs", file=sys.stderr)
    while index is None:
        time.sleep(SECONDS_BETWEEN_TRIES)
        index = _try(names, folder)
    return index


def _try(names: Sequence[str], folder: Path) -> int | None:
    for index, name in enumerate(names):
        lock = (folder / f"{name}.lock").open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        # Open as long as the process lives: closing it would give the GPU back.
        _claimed.append(lock)
        return index
    return None
