"""Training saved on its way, so that a job that was cut off goes on where it stopped.

A checkpoint is one file in a scratch folder, named by a digest of all that decides the result:
settings, code, inputs, device, threads and versions. Another training never finds it, so going on
gives the bits of a training that was not cut off.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from sae_surgery.files import replacing

VARIABLE = "SAE_SURGERY_SCRATCH"
DEFAULT_FOLDER = Path(".scratch")
SECONDS_BETWEEN = 300.0

State = Mapping[str, Any]
"""Tensors, numbers, texts, and lists and dicts of them, such as an optimiser's `state_dict()`."""


class Checkpoint:
    """The saved state of one training.

    Parameters
    ----------
    path
        The file; None never saves and never finds anything.
    seconds
        A state is saved at most that often.
    """

    def __init__(self, path: Path | None, seconds: float = SECONDS_BETWEEN) -> None:
        self._path, self._seconds = path, seconds
        self._saved = time.monotonic()

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """Return the last state saved, its tensors on `device`; None if there is none."""
        if self._path is None or not self._path.exists():
            return None
        try:
            state = torch.load(self._path, map_location=device, weights_only=True)
        except (RuntimeError, UnpicklingError, EOFError, OSError) as error:
            print(f"{self._path}: not readable, training begins anew ({error})", file=sys.stderr)
            return None
        print(f"{self._path}: training goes on from here", file=sys.stderr)
        return state

    def save(self, make_state: Callable[[], State]) -> None:
        """Save the state if the last time is long enough ago; only then is it made.

        Raises
        ------
        SurgeryError
            If the scratch folder cannot be written to.
        """
        if self._path is None or time.monotonic() - self._saved < self._seconds:
            return
        with replacing(self._path) as temporary:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                torch.save(make_state(), file)
        self._saved = time.monotonic()

    def remove(self) -> None:
        """Forget the state: what was trained has been written."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            # Others may be in training.
            with suppress(OSError):
                self._path.parent.rmdir()


NONE = Checkpoint(None)
"""Saves nothing; what libraries and tests use."""


def checkpoint(
    folder: Path, decides: Mapping[str, Any], seconds: float = SECONDS_BETWEEN
) -> Checkpoint:
    """Return the checkpoint, in a folder, of the training that `decides` describes as JSON."""
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:32]
    return Checkpoint(folder / f"{digest}.pt", seconds)


def scratch(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder for checkpoints: SAE_SURGERY_SCRATCH, or `.scratch` where one stands."""
    return Path(environment.get(VARIABLE, DEFAULT_FOLDER))
