"""Learn a dictionary on the rows that an SAE is examined on, to compare its decoder with."""

from pathlib import Path

import torch

from sae_surgery.examination import HELD_OUT, LEARN
from sae_surgery.examination._rivals import learn_rival
from sae_surgery.files.answers import write_learned
from sae_surgery.files.readings import read_reading, require_rows
from sae_surgery.files.rows import read_rows
from sae_surgery.files.store import Origin
from sae_surgery.machine.progress import track
from sae_surgery.machine.provenance import source_digest


def learn(
    rows_path: Path, reading_path: Path, seed: int, started: bool, threads: int, output: Path
) -> None:
    """Write a dictionary of the decoder's size, learned at the encoder's mean L0.

    Parameters
    ----------
    started
        Whether learning starts from the decoder.

    Raises
    ------
    SurgeryError
        If a file is missing, damaged, or the reading was made from other rows.
    """
    torch.set_num_threads(threads)
    rows, reading = read_rows(rows_path), read_reading(reading_path)
    require_rows(reading_path, reading, rows.digest)
    l0 = float(reading.codes.counts[0].double().numpy()[rows.of(HELD_OUT)].mean())
    rival = learn_rival(
        reading.observations[rows.of(LEARN)],
        reading.dictionary.shape[1],
        l0,
        seed,
        reading.dictionary if started else None,
        track,
    )
    settings = {"seed": seed, "started": started, "l0": l0}
    inputs = {"reading": reading.digest}
    title, code = f"Dictionary learned on {rows_path.stem}", source_digest(__name__)
    origin = Origin(title, settings, code, inputs, threads=threads)
    how = "from the decoder" if started else f"from scratch, seed {seed}"
    write_learned(output, rival.dictionary, origin, f"Learned {how}: {rival.remark}")
