"""Parameters kept while a method learns, to show later how it learned."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from sae_surgery.methods.base import RECORDED, Model, Parameter
from sae_surgery.problems.base import Problem

MAX_LATENTS = 10_000
"""For more latents only the end is recorded: all records would fill tens of gigabytes."""


def recorded_times(cell: Problem, n_times: int, every: int) -> tuple[int, ...]:
    """Return which of `n_times` epochs or rounds, from 0, are recorded: each `every`-th, the last.

    Up to `MAX_LATENTS` they depend on the settings only, not on when a seed stops.
    """
    last = n_times - 1
    return (*range(0, last, every), last) if cell.n_latents <= MAX_LATENTS else (last,)


class Records:
    """Values of parameters at several times."""

    def __init__(self, n_records: int) -> None:
        self.n_records = n_records
        self.values: dict[str, Tensor] = {}

    def write(self, index: int, at: Tensor, parameters: Mapping[str, Tensor]) -> None:
        """Copy parameters (seed, …) into a record, with the epoch or round of each seed (seed,)."""
        for name, value in {"at": at, **parameters}.items():
            if name not in self.values:
                shape = (len(value), self.n_records, *value.shape[1:])
                self.values[name] = value.new_empty(shape)
            self.values[name][:, index] = value

    def state_dict(self) -> dict[str, Any]:
        """Return the records, those still to come with any values."""
        return self.values

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` has told."""
        self.values = dict(state_dict)

    def add_to(self, model: Model) -> None:
        """Put the records into the model whose parameters they are."""
        for name, values in self.values.items():
            if name == "at":
                dims, long_name = (), "epoch or round, from 0, after which a record was made"
            else:
                dims, long_name = model[name].dims, f"{model[name].long_name}, at the records"
            model[RECORDED + name] = Parameter(values, ("record", *dims), long_name)
