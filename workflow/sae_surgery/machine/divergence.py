"""Training that has diverged, its numbers no longer finite: a result of its seed, and no error.

A trainer notes the seeds when it sees them, within an epoch or round. What they have learned is
missing from then on, in the model, in codes, scores and tables, and the status of each file says
so. Seeds share nothing, so that the others go on as if they were alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr
    from torch import Tensor

DIVERGED = "diverged: "
"""How the status of a file begins that seeds are missing from."""

NO = "no"
MEANING = f"when training diverged, counted from 0; {NO!r} where it did not"
"""Long name of the variable `diverged` of result files."""

LEFT_OUT = "Training diverged and left no values; means are over the other seeds."
"""What pages say above the seeds that tables lack."""

IN_CODES = "in its codes"
"""When seeds diverged of which parameters are finite, but codes are not."""


class Divergence:
    """The seeds whose training has diverged, and when, as something to save."""

    def __init__(self) -> None:
        self.when: dict[int, str] = {}
        """By index of the seed, as words: `at epoch 3`."""

    def note(self, seed: int, when: str) -> None:
        """Note that the seed of an index has diverged; what was noted first stays."""
        self.when.setdefault(seed, when)

    def check(self, when: str, *values: "Tensor") -> None:
        """Note the seeds of which one of the values (seed, …) is not finite."""
        for value in values:
            for seed in not_finite(value):
                self.note(seed, when)

    def sound(self, n_seeds: int) -> list[int]:
        """Return the indices of the seeds, of so many, that have not diverged."""
        return sound_seeds(self.when, n_seeds)

    def state_dict(self) -> dict[str, Any]:
        """Return what has been noted."""
        return {"when": self.when}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` has told."""
        self.when = dict(state_dict["when"])


def not_finite(values: "Tensor") -> list[int]:
    """Return the indices of the seeds of which a value (seed, …) is not finite."""
    # A sum takes one pass and no memory. Where it is not finite, it may have overflowed by itself.
    sums = values.sum(tuple(range(1, values.ndim))) if values.ndim > 1 else values
    suspects = (~sums.isfinite()).nonzero()[:, 0].tolist()
    return [seed for seed in suspects if not values[seed].isfinite().all()]


def sound_seeds(diverged: Iterable[int], n_seeds: int) -> list[int]:
    """Return the indices of the seeds, of so many, that are not among those that diverged."""
    lost = set(diverged)
    return [seed for seed in range(n_seeds) if seed not in lost]


def status(diverged: Mapping[int, str], seeds: Sequence[int]) -> str:
    """Return the status of a file of these seeds: `ok`, or `diverged: seed 0 at epoch 3; …`."""
    return status_of(f"seed {seeds[index]} {diverged[index]}" for index in sorted(diverged))


def status_of(sentences: Iterable[str]) -> str:
    """Return the status of a file given what is said of each seed that diverged, `seed 0 at …`."""
    return DIVERGED + "; ".join(sentences) if (sentences := list(sentences)) else "ok"


def said_of(status: str, seeds: Iterable[int]) -> list[str]:
    """Return what a file's status says of those of these seeds that diverged: `seed 0 at …`."""
    if not status.startswith(DIVERGED):
        return []
    chosen = {str(seed) for seed in seeds}
    return [said for said in status.removeprefix(DIVERGED).split("; ") if said.split()[1] in chosen]


def told_by(tables: "Iterable[xr.Dataset]") -> list[str]:
    """Return what tables say of seeds that diverged: `sae_relu on n50…: seed 0 at epoch 3`."""
    found = (said for table in tables for said in table.attrs.get("diverged", "").split("; "))
    return [said for said in dict.fromkeys(found) if said]


def as_section(told: Sequence[str]) -> str:
    """Write what `told_by` returns as a section of a Markdown page; nothing if that is nothing."""
    lines = "\n".join(f"- {said}" for said in told)
    return f"## Diverged\n\n{LEFT_OUT}\n\n{lines}\n" if told else ""
