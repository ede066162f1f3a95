"""Make the data of one problem, all seeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sae_surgery import problems
from sae_surgery.errors import SurgeryError
from sae_surgery.files.drawn import write_drawn
from sae_surgery.files.store import Origin
from sae_surgery.machine.provenance import source_digest
from sae_surgery.problems.base import Problem


def simulate(
    cell: Problem | None,
    seeds: Sequence[int],
    output: Path,
    kind: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Draw a problem and write its data file.

    Parameters
    ----------
    cell
        The problem, or None if it is to be made.
    kind, settings
        Name of the problem, and all of its settings.

    Raises
    ------
    SurgeryError
        If there is no such problem, settings come with a cell, whose name says all of them, the
        problem reads files of the user that are missing or unfit, or values are not finite.
    """
    if cell is not None and settings is not None:
        raise SurgeryError(
            "--settings: goes with --problem; the name of a --cell says all of its own"
        )
    problem = problems.load(kind, settings or {}) if cell is None else cell
    origin = Origin(
        title=f"Data of {problem.name}",
        settings={"cell": problem.name, "seeds": list(seeds)},
        code=source_digest(__name__, type(problem).__module__),
    )
    sizes = problem.n_train, problem.n_val, problem.n_ood
    try:
        write_drawn(output, problem, seeds, sizes, map(problem.draw, seeds), origin)
    except ValueError as error:
        raise SurgeryError(f"{problem.name}: {error}") from error
