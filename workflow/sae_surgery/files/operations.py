"""What surgeries yield, as files: the codes of all outcomes, and the dictionaries they refer to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sae_surgery.files import store
from sae_surgery.files.codes import Codes, PackedCodes, diverged_variable
from sae_surgery.files.data import SCORED, CellData
from sae_surgery.files.store import Origin, Variable
from sae_surgery.machine.divergence import IN_CODES, sound_seeds, status_of
from sae_surgery.methods.base import spread
from sae_surgery.surgeries.base import Outcome, Patient, Surgery


def write_operation(
    path: Path,
    name: str,
    surgery: Surgery,
    patient: Patient | None,
    data: CellData,
    method: str,
    origin: Origin,
    lost: Mapping[int, str],
) -> None:
    """Do a surgery and write its outcomes; none if there is no patient that it can be done on.

    Parameters
    ----------
    patient
        Of the seeds that are not lost.
    lost
        By index of the seed, when it diverged, so that nothing is done on it.
    """
    done = _Done(lost, len(data.seeds))
    if patient:
        patient = replace(patient, checkpoint=patient.checkpoint.keeping(done))
        for outcome in surgery.operate(patient):
            done.add(outcome)
    if told := list(done.tell(data.seeds, surgery.step)):
        origin = replace(origin, status=status_of(told))
    store.write(
        path,
        "operation",
        _variables(surgery, patient, done, data) if patient else (),
        origin,
        cell=data.cell.name,
        method=method,
        surgery=name,
        n_atoms=done.packed[0].n_atoms if patient else 0,
    )


class _Done:
    """The outcomes so far, of the seeds that are not lost to begin with."""

    def __init__(self, lost: Mapping[int, str], n_seeds: int) -> None:
        self.lost, self.n_seeds = lost, n_seeds
        self.seeds = sound_seeds(lost, n_seeds)
        self.packed: list[PackedCodes] = []
        """Of all seeds."""
        self.outcomes: list[Outcome] = []
        """Without their codes."""

    def add(self, outcome: Outcome) -> None:
        """Add an outcome."""
        # Packed one by one: together, the dense codes of large cells would not fit into memory.
        splits = [split for split in SCORED if split in outcome.codes]
        codes = [PackedCodes.pack(_array(outcome.codes[split])) for split in splits]
        packed = PackedCodes.join(codes)
        diverged = dict.fromkeys(packed.not_finite(), IN_CODES) | outcome.diverged
        packed = packed.without(diverged) if diverged else packed
        self.packed.append(packed.among(self.seeds, self.n_seeds))
        self.outcomes.append(replace(outcome, codes={}, diverged=diverged))

    def diverged(self, outcome: Outcome) -> dict[int, str]:
        """Return when seeds diverged, by index, that have no codes in an outcome."""
        return {**self.lost, **{self.seeds[i]: when for i, when in outcome.diverged.items()}}

    def tell(self, seeds: Sequence[int], step: str | None) -> Iterator[str]:
        """Say of each seed that diverged when it did, and in which outcome if not before."""
        for index in sorted(self.lost):
            yield f"seed {seeds[index]} {self.lost[index]}"
        for outcome in self.outcomes:
            where = outcome.condition + (f" at {step} {outcome.step:g}" if step else "")
            for index, when in sorted(outcome.diverged.items()):
                yield f"seed {seeds[self.seeds[index]]} {when} ({where})"

    def all_seeds(self, values: Tensor, outcome: Outcome | None = None) -> np.ndarray:
        """Return values (seed, …) of all seeds, those that diverged, in an outcome too, NaN."""
        whole = _array(spread(values, self.seeds, self.n_seeds, torch.nan))
        lost = [] if outcome is None else list(self.diverged(outcome))
        if not lost:
            return whole
        whole = whole.copy()
        whole[lost] = np.nan
        return whole

    def state_dict(self) -> dict[str, Any]:
        """Return all that has been added."""
        return {
            "packed": [
                (*map(torch.from_numpy, (each.counts, each.atoms, each.values)), each.n_atoms)
                for each in self.packed
            ],
            "outcomes": [vars(outcome) for outcome in self.outcomes],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` has told."""
        self.packed = [
            PackedCodes(*map(_array, arrays), n_atoms) for *arrays, n_atoms in state_dict["packed"]
        ]
        self.outcomes = [Outcome(**each) for each in state_dict["outcomes"]]


class Operation(Codes):
    """The outcomes of one surgery on one patient, read from their file.

    Raises
    ------
    StoreError
        If the file is damaged, or the surgery was not done on a model of `data`.
    """

    def __init__(self, path: Path, data: CellData) -> None:
        super().__init__(path, data, "operation")
        self.surgery: str = self.file.attrs["surgery"]

    def places(self, step: str | None) -> list[tuple[str, float | None]]:
        """Return condition and step, None if there is no sweep, of each outcome."""
        conditions = self.file["condition"].values.tolist()
        steps = self.file[step].values.tolist() if step else [None] * len(conditions)
        return list(zip(conditions, steps, strict=True))

    def dictionary(self, outcome: int, seed_index: int) -> np.ndarray:
        """Return the dictionary (obs, atom) that an outcome's codes refer to."""
        which = int(self.file["dictionary_of"].values[outcome])
        return self.file["dictionary"][which, seed_index].values


def _variables(
    surgery: Surgery,
    patient: Patient,
    done: _Done,
    data: CellData,
) -> Iterator[tuple[str, Variable]]:
    outcomes = done.outcomes
    conditions = np.array([outcome.condition for outcome in outcomes])
    yield "condition", Variable(("outcome",), conditions, "condition of the surgery", None)
    if surgery.step:
        steps = np.array([outcome.step for outcome in outcomes], np.float64)
        yield surgery.step, Variable(("outcome",), steps, surgery.step_means)
    yield from PackedCodes.stack(done.packed).variables(data, "outcome")
    yield from _dictionaries(patient, done)
    if any(map(done.diverged, outcomes)):
        places = {
            (number, seed): when
            for number, outcome in enumerate(outcomes)
            for seed, when in done.diverged(outcome).items()
        }
        shape = len(outcomes), len(data.seeds)
        yield "diverged", diverged_variable(("outcome", "seed"), places, shape)
    for name, long_name in surgery.diagnostics.items():
        nothing = torch.full((len(patient.seeds),), torch.nan)
        values = [
            done.all_seeds(outcome.diagnostics.get(name, nothing), outcome) for outcome in outcomes
        ]
        missing = "not defined for this outcome, or training diverged"
        yield name, Variable(("outcome", "seed"), np.stack(values), long_name, nan_means=missing)


def _dictionaries(patient: Patient, done: _Done) -> Iterator[tuple[str, Variable]]:
    """Yield each dictionary once: most outcomes share the patient's."""
    distinct, which = [done.all_seeds(patient.dictionary)], []
    for outcome in done.outcomes:
        if outcome.dictionary is not None:
            distinct.append(done.all_seeds(outcome.dictionary, outcome))
        which.append(0 if outcome.dictionary is None else len(distinct) - 1)
    values = np.stack(distinct)
    dims = ("dictionary_index", "seed", "obs", "atom")
    missing = "training diverged" if any(map(done.diverged, done.outcomes)) else None
    long_name = "dictionaries; the first is the patient's"
    yield "dictionary", Variable(dims, values, long_name, nan_means=missing)
    index = np.array(which, np.int32)
    yield "dictionary_of", Variable(("outcome",), index, "index of the outcome's dictionary", None)


def _array(values: Tensor) -> np.ndarray:
    return values.cpu().numpy()
