"""Read a trained SAE, check that it was read rightly, and encode rows of activations by it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sae_surgery import loaders
from sae_surgery.examination import LEARN
from sae_surgery.examination._codes import as_rows, errors, spread
from sae_surgery.examination._encoding import MOST_ROWS, Encoder
from sae_surgery.files.readings import Reading, write_reading
from sae_surgery.files.rows import COUNTED_STREAM, Rows, chosen, read_rows
from sae_surgery.files.store import Origin
from sae_surgery.loaders.check import CHECKED, check
from sae_surgery.machine.progress import track
from sae_surgery.machine.provenance import source_digest
from sae_surgery.problems._matrices import open_matrix


def load(
    sae_path: Path,
    format: str | None,
    rows_path: Path,
    activations: Path,
    counted: int,
    seed: int,
    overrule: Sequence[str],
    threads: int,
    output: Path,
) -> None:
    """Write what an SAE is, its codes of the rows, and how often atoms are active in many more.

    Parameters
    ----------
    counted
        Rows of the activations, drawn at random, that are encoded to count; all if there are fewer.
    overrule
        Names of faults that are no reason to stop.

    Raises
    ------
    SurgeryError
        If the SAE cannot be read, does not go with the activations, or looks misread.
    """
    torch.set_num_threads(threads)
    rows = read_rows(rows_path)
    sae = loaders.load(sae_path, format)
    learn = rows.observations[rows.of(LEARN)]
    found = check(sae, torch.from_numpy(learn[:CHECKED]))
    found.require(str(sae_path), overrule)
    encoder = Encoder(sae)
    targets = encoder.targets(rows.observations)
    codes = encoder.of_activations(rows.observations, track)
    counts = _count(encoder, rows, targets, activations, counted, seed)
    facts = {
        "path": str(sae_path),
        "format": sae.format,
        "architecture": sae.architecture,
        "notes": list(sae.notes),
        "promised": dict(sae.promised),
        "checked_rows": found.n_samples,
        "l0": found.l0,
        "explained_variance": found.explained_variance,
        "dead": found.dead,
        "norms": list(found.norms),
        "overruled": [fault.text for fault in found.faults],
        "counted_l0": counts["l0"],
        "counted_explained_variance": counts["explained_variance"],
    }
    reading = Reading(
        dictionary=sae.dictionary.numpy(),
        bias=sae.decoder_bias.numpy(),
        observations=targets,
        codes=codes,
        fired=counts["fired"],
        n_counted=counts["n"],
        signed=sae.signed,
        facts=facts,
    )
    settings = {"sae": str(sae_path), "format": format, "counted": counted, "seed": seed}
    origin = Origin(
        f"Trained SAE {sae_path} on {rows_path.stem}",
        settings | {"overrule": list(overrule)},
        source_digest(__name__, f"{loaders.__name__}.{sae.format}"),
        {"rows": rows.digest},
        threads=threads,
    )
    write_reading(output, reading, origin)


def _count(
    encoder: Encoder,
    rows: Rows,
    targets: np.ndarray,
    activations: Path,
    counted: int,
    seed: int,
) -> dict[str, Any]:
    """Encode many rows block by block, and keep sums alone."""
    matrix, sae = open_matrix(activations), encoder.sae
    # In the order of the file, so that each part of it is read once.
    numbers = np.sort(chosen(matrix, counted, seed, COUNTED_STREAM))
    mean = targets[rows.of(LEARN)].mean(axis=0)
    dictionary = sae.dictionary.numpy()
    fired = np.zeros(sae.n_atoms, np.int64)
    error = total = 0.0
    blocks = [numbers[at : at + MOST_ROWS] for at in range(0, len(numbers), MOST_ROWS)]
    for block in track(blocks, f"counting {len(numbers)} rows, blocks"):
        some = matrix.take(block)
        codes, y = encoder.of_activations(some), encoder.targets(some)
        fired += np.bincount(as_rows(codes).indices, minlength=sae.n_atoms)
        error += errors(y, codes, dictionary).sum()
        total += spread(y, mean).sum()
    print(f"{activations}: counted over {len(numbers)} rows", file=sys.stderr)
    return {
        "fired": fired,
        "n": len(numbers),
        "l0": float(fired.sum() / len(numbers)),
        "explained_variance": float(1 - error / total),
    }
