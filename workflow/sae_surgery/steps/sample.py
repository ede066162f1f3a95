"""Draw the rows of a user's activations that SAEs are examined on."""

import sys
from pathlib import Path

from sae_surgery.files.rows import draw_rows, write_rows
from sae_surgery.files.store import Origin
from sae_surgery.machine.provenance import source_digest


def sample(
    activations: Path,
    ood: Path | None,
    labels: Path | None,
    samples: int,
    held_out: float,
    seed: int,
    output: Path,
) -> None:
    """Write rows of activations, drawn at random, with their labels.

    Raises
    ------
    SurgeryError
        If a file is missing or unfit, or files do not go together.
    """
    rows = draw_rows(activations, ood, labels, samples, held_out, seed)
    print(f"{activations}: {rows.of('learn').sum()} rows to learn from", file=sys.stderr)
    names = {"activations": activations, "ood": ood, "labels": labels}
    settings = {name: str(path) for name, path in names.items() if path}
    settings |= {"samples": samples, "held_out": held_out, "seed": seed}
    origin = Origin(f"Rows of {activations}", settings, source_digest(__name__))
    write_rows(output, rows, origin)
