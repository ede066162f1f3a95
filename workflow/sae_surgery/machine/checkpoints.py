"""Training saved on its way, so that a job that was cut off goes on where it stopped.

A step makes the `Checkpoint` of what it is to write and hands it down with the problem; a long loop
runs over `Checkpoint.steps`, and the step removes the checkpoint once its files are written. States
are files in a scratch folder, named by a digest of all that decides the result: settings, code,
inputs, device, threads and versions. Another training never finds them, so going on gives the bits
of a training that was not cut off.
"""

import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Protocol
from zipfile import BadZipFile, ZipFile

import numpy as np
import torch
from torch import Tensor

from sae_surgery.errors import SurgeryError
from sae_surgery.machine.atomic import replacing, sweep

VARIABLE = "SAE_SURGERY_SCRATCH"
DEFAULT_FOLDER = Path(".scratch")
SECONDS_BETWEEN = 300.0
"""A training that was cut off has lost about so much."""

LIBRARIES = ("numba", "numpy", "scipy", "torch")
"""What computes; another version may round otherwise."""


class Stateful(Protocol):
    """What is saved: anything with PyTorch's pair of methods."""

    def state_dict(self) -> Mapping[str, Any]:
        """Return tensors, numbers, texts, and lists and dicts of them; tensors are not copied."""

    def load_state_dict(self, state_dict: Mapping[str, Any], /) -> None:
        """Become what `state_dict` has told."""


@dataclass(eq=False)
class Checkpoint:
    """The saved states of what one step trains."""

    path: Path | None
    """The file; None never saves and never finds anything."""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    """Where the tensors go that are loaded."""
    seconds: float = SECONDS_BETWEEN
    """A state is saved at most that often."""
    kept: tuple[Stateful, ...] = ()
    """What is saved beside that which a loop names."""
    _saved_at: float = field(default_factory=time.monotonic)
    _files: list[Path] = field(default_factory=list)
    """All files of the step, those of its parts too."""

    def part(self, name: str) -> "Checkpoint":
        """Return the checkpoint of one loop of several in the same step."""
        if self.path is None:
            return self
        return replace(self, path=self.path.with_stem(f"{self.path.stem}_{name}"))

    def keeping(self, *more: Stateful) -> "Checkpoint":
        """Return the same checkpoint for loops whose caller has something to be saved as well."""
        return replace(self, kept=(*self.kept, *more))

    def steps(self, n_steps: int, *learned: Stateful) -> Iterable[int]:
        """Return the numbers, from 0, of the steps still to take.

        What a loop changes is loaded now, if it has been saved, and saved between two steps, if the
        last time is long enough ago. There is always a step left, since after the last nothing is
        saved.

        Raises
        ------
        SurgeryError
            While it is looped over, if the scratch folder cannot be written to.
        """
        if self.path is None:
            return range(n_steps)
        self._files.append(self.path)
        kept = (*learned, *self.kept)
        saved = self._load()
        for each, state in zip(kept, saved["states"], strict=True) if saved else ():
            each.load_state_dict(state)
        first = saved["n_done"] if saved else 0
        return _Steps(range(first, n_steps), lambda n_done: self._save(n_done, kept))

    def remove(self) -> None:
        """Forget all states: what was trained has been written."""
        for path in self._files:
            sweep(path)
            # Others may be in training; and where nothing can be removed, it does no harm.
            with suppress(OSError):
                path.unlink(missing_ok=True)
                path.parent.rmdir()

    def _load(self) -> dict[str, Any] | None:
        """Return what was saved last; None, with a line on standard error, if it cannot be used."""
        if not self.path.exists():
            return None
        try:
            # PyTorch writes checksums and does not compare them.
            with ZipFile(self.path) as archive:
                damaged = archive.testzip()
            if damaged:
                raise BadZipFile(f"{damaged} is damaged")
            saved = torch.load(self.path, map_location=self.device, weights_only=True)
        except (BadZipFile, RuntimeError, UnpicklingError, EOFError, OSError) as error:
            print(f"{self.path}: not readable, training begins anew ({error})", file=sys.stderr)
            return None
        if not isinstance(saved, dict) or saved.get("training") != self.path.stem:
            print(f"{self.path}: of another training, training begins anew", file=sys.stderr)
            return None
        print(f"{self.path}: training goes on after step {saved['n_done']}", file=sys.stderr)
        return saved

    def _save(self, n_done: int, kept: Sequence[Stateful]) -> None:
        if time.monotonic() - self._saved_at < self.seconds:
            return
        states = [dict(each.state_dict()) for each in kept]
        saved = {"training": self.path.stem, "n_done": n_done, "states": states}
        with replacing(self.path) as temporary:
            try:
                torch.save(saved, temporary)
            except RuntimeError as error:
                # The library's file writer says no more than that it failed.
                raise SurgeryError(
                    f"{self.path}: cannot be written; is the disk full? ({error})"
                ) from error
        self._saved_at = time.monotonic()


NONE = Checkpoint(None)
"""Saves nothing; what libraries and tests use."""


@dataclass(frozen=True)
class _Steps:
    """Numbers of steps; between two of them, the state is saved."""

    numbers: range
    save: Callable[[int], None]

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[int]:
        for number in self.numbers:
            if number > self.numbers.start:
                self.save(number)
            yield number


class InPlace:
    """Tensors and arrays that are learned where they stand, as something to save."""

    def __init__(self, *values: Tensor | np.ndarray) -> None:
        self._tensors = [torch.as_tensor(value) for value in values]

    def state_dict(self) -> dict[str, list[Tensor]]:
        """Return the tensors themselves."""
        return {"values": self._tensors}

    def load_state_dict(self, state_dict: Mapping[str, list[Tensor]]) -> None:
        """Copy the values that were saved to where they stood."""
        for tensor, value in zip(self._tensors, state_dict["values"], strict=True):
            tensor.copy_(value)


class Streams:
    """Generators of random numbers on the CPU, as something to save."""

    def __init__(self, generators: Sequence[torch.Generator]) -> None:
        self._generators = generators

    def state_dict(self) -> dict[str, list[Tensor]]:
        """Return where each generator is in its stream."""
        return {"states": [generator.get_state() for generator in self._generators]}

    def load_state_dict(self, state_dict: Mapping[str, list[Tensor]]) -> None:
        """Go to where the generators were."""
        for generator, state in zip(self._generators, state_dict["states"], strict=True):
            generator.set_state(state.cpu())


def checkpoint_of(folder: Path, decides: Mapping[str, Any], device: torch.device) -> Checkpoint:
    """Return the checkpoint, in a folder, of the training that `decides` describes as JSON.

    Versions of Python and of what computes are added.
    """
    versions = {name: version(name) for name in LIBRARIES} | {"python": platform.python_version()}
    text = json.dumps([decides, versions], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    return Checkpoint(folder / f"{digest}.pt", device, SECONDS_BETWEEN)


def scratch(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder for checkpoints: SAE_SURGERY_SCRATCH, or `.scratch` where one stands."""
    return Path(environment.get(VARIABLE, DEFAULT_FOLDER))
