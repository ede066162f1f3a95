"""One process on each GPU of a workstation; nothing here imports PyTorch.

Snakemake counts jobs with a GPU but hands none out. So the workflow starts no more of them at a
time than there are GPUs, and each step claims one of its own: a lock that the system gives back
when the process ends, however it ends.
"""

import fcntl
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from sae_surgery.errors import SurgeryError

SECONDS_BETWEEN_TRIES = 1.0
SECONDS_TO_LIST = 15.0
"""A driver in order lists its GPUs in less, even when it has to wake them; one that hangs never."""
WAY_OUT = "remove it, or name another folder for temporary files in TMPDIR"

_claimed: list[int] = []


def count(environment: Mapping[str, str] = os.environ) -> int:
    """Return how many GPUs CUDA shows: all that the driver lists, or those that are chosen of them.

    It is 0 where there is no `nvidia-smi`, and where it fails or hangs, with a line of warning.
    """
    chosen = environment.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None and not re.match(r"\s*\+?\d|GPU-|MIG-", chosen):
        return 0
    command = shutil.which("nvidia-smi", path=environment.get("PATH"))
    if command is None:
        return 0
    try:
        listed = _listed(command)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"warning: no GPU is used, for {command} fails: {error}", file=sys.stderr)
        return 0
    gpus = re.findall(r"^GPU \d+: .*?(?:\(UUID: (.+?)\))?$", listed, re.MULTILINE)
    if chosen is None:
        return len(gpus)
    if chosen.startswith("MIG-"):
        # Of the parts of a GPU, CUDA shows the first alone.
        return int(f"(UUID: {chosen.split(',')[0]})" in listed)
    if chosen.startswith("GPU-"):
        return _distinct(_by_name(chosen, gpus))
    return _distinct(_by_index(chosen, len(gpus)))


def _listed(command: str) -> str:
    """Return what `nvidia-smi -L` prints.

    Raises
    ------
    OSError, subprocess.SubprocessError
        If it cannot be started, fails, lists no GPU, or takes too long. One that hangs in the
        driver cannot be killed either, and is not waited for.
    """
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(
        [command, "-L"], **streams, text=True, errors="replace", start_new_session=True
    )
    try:
        listed, _ = process.communicate(timeout=SECONDS_TO_LIST)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise subprocess.SubprocessError(f"no answer in {SECONDS_TO_LIST:.0f} s") from None
    if process.returncode != 0:
        raise subprocess.SubprocessError(f"it ends with status {process.returncode}")
    if not re.search(r"^GPU \d+: ", listed, re.MULTILINE):
        raise subprocess.SubprocessError("it lists no GPU")
    return listed


def _by_index(chosen: str, n_gpus: int) -> Iterator[int]:
    """Yield indices as CUDA reads them, up to the first that is none."""
    for word in chosen.split(","):
        number = re.match(r"\s*\+?(\d+)", word)
        if number is None or int(number[1]) >= n_gpus:
            return
        yield int(number[1])


def _by_name(chosen: str, gpus: Sequence[str]) -> Iterator[int]:
    """Yield the indices of GPUs by the beginnings of their UUIDs, up to the first that is none."""
    for word in chosen.split(","):
        found = [index for index, name in enumerate(gpus) if name.startswith(word)]
        if not word.startswith("GPU-") or len(found) != 1:
            return
        yield found[0]


def _distinct(indices: Iterator[int]) -> int:
    """Return how many there are; to CUDA, none if one is named twice."""
    found = list(indices)
    return len(found) if len(found) == len(set(found)) else 0


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

    Raises
    ------
    SurgeryError
        If the folder, or a lock in it, is not this user's own.
    """
    folder = folder or Path(tempfile.gettempdir()) / f"sae-surgery-gpus-{os.getuid()}"
    place = _private(folder)
    index = _try(names, place, folder)
    if index is None:
        print(f"waiting for one of {len(names)} GPUs", file=sys.stderr)
    while index is None:
        time.sleep(SECONDS_BETWEEN_TRIES)
        index = _try(names, place, folder)
    return index


def _private(folder: Path) -> int:
    """Open a folder, made if need be, that nobody but this user can write to."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    place = _safely(folder, lambda: _make_and_open(folder))
    found = os.fstat(place)
    if found.st_uid != os.getuid():
        raise SurgeryError(f"{folder}: belongs to another user; {WAY_OUT}")
    if stat.S_IMODE(found.st_mode) & 0o077:
        os.fchmod(place, 0o700)
    return place


def _make_and_open(folder: Path) -> int:
    if not os.path.lexists(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)


def _try(names: Sequence[str], place: int, folder: Path) -> int | None:
    """Lock the first GPU that is free, and return its index; lock files are never written to."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    for index, name in enumerate(names):
        file = f"{name}.lock"
        lock = _safely(folder / file, lambda file=file: os.open(file, flags, 0o600, dir_fd=place))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        # Open as long as the process lives: closing it would give the GPU back.
        _claimed.append(lock)
        return index
    return None


def _safely(path: Path, open_it: Callable[[], int]) -> int:
    """Return what opens a path, or say why it is refused."""
    try:
        return open_it()
    except OSError as error:
        link = "a link, which is not followed" if path.is_symlink() else error.strerror
        raise SurgeryError(f"{path}: locks of GPUs cannot lie here: {link}; {WAY_OUT}") from None
