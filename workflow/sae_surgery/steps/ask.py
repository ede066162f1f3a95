"""Answer one question about a trained SAE on activations."""

from collections.abc import Sequence
from pathlib import Path

import torch

from sae_surgery import examination, loaders
from sae_surgery.errors import SurgeryError
from sae_surgery.examination import HELD_OUT, LEARN, OOD
from sae_surgery.examination._codes import pick
from sae_surgery.examination._encoding import Encoder
from sae_surgery.examination.base import Answer, Subject
from sae_surgery.files.answers import read_learned, write_answer
from sae_surgery.files.readings import Reading, read_reading, require_rows
from sae_surgery.files.rows import Rows, read_rows
from sae_surgery.files.store import SKIPPED, Origin
from sae_surgery.machine.progress import track
from sae_surgery.machine.provenance import source_digest


def ask(
    name: str,
    rows_path: Path,
    reading_path: Path,
    learned_paths: Sequence[Path],
    beside_paths: Sequence[Path],
    sae_path: Path | None,
    format: str | None,
    seed: int,
    threads: int,
    output: Path,
) -> None:
    """Write the answer to a question; an empty one, with the reason, where it cannot be asked.

    Parameters
    ----------
    learned_paths, beside_paths
        Learned dictionaries and readings of other SAEs, each named as its file or folder is.
    sae_path
        The SAE itself, for questions that need its encoder.

    Raises
    ------
    SurgeryError
        If there is no such question, or files are missing, damaged, or do not go together.
    """
    torch.set_num_threads(threads)
    question = examination.load(name)
    rows, reading = read_rows(rows_path), read_reading(reading_path)
    require_rows(reading_path, reading, rows.digest)
    learned = {path.stem: read_learned(path) for path in learned_paths}
    beside = {path.parent.name: read_reading(path) for path in beside_paths}
    for path, other in zip(beside_paths, beside.values(), strict=True):
        require_rows(path, other, rows.digest)
    if "encode" in question.needs and sae_path is None:
        raise SurgeryError(f"{name}: needs the SAE itself; give it as --sae")
    encoder = Encoder(loaders.load(sae_path, format)) if sae_path else None
    lacking = "labels" in question.needs and rows.labels is None
    subject = Subject(
        name=reading_path.parent.name,
        dictionary=reading.dictionary,
        observations={split: reading.observations[rows.of(split)] for split in _splits(rows)},
        codes={split: pick(reading.codes, rows.of(split).nonzero()[0]) for split in _splits(rows)},
        fired=reading.fired,
        n_counted=reading.n_counted,
        seen=rows.seen[rows.of(HELD_OUT)],
        labels=_labels(rows),
        label_names=rows.classes,
        learned={each: held[0] for each, held in learned.items()},
        remarks=tuple(held[1] for held in learned.values()),
        beside={each: other.dictionary for each, other in beside.items()},
        encode=encoder.of_targets if encoder else None,
        seed=seed,
        signed=reading.signed,
        track=track,
    )
    answer = Answer([]) if lacking else question.answer(subject)
    origin = Origin(
        f"{question.title}: {subject.name}",
        {"question": name, "seed": seed},
        source_digest(__name__, type(question).__module__),
        _digests(rows, reading, learned, beside),
        threads=threads,
        status=f"{SKIPPED}no labels were given" if lacking else "ok",
    )
    write_answer(output, answer, origin, question=name, sae=subject.name)


def _splits(rows: Rows) -> list[str]:
    return [split for split in (LEARN, HELD_OUT, OOD) if rows.of(split).any()]


def _labels(rows: Rows) -> dict:
    if rows.labels is None:
        return {}
    return {split: rows.labels[rows.of(split)] for split in (LEARN, HELD_OUT)}


def _digests(
    rows: Rows, reading: Reading, learned: dict[str, tuple], beside: dict[str, Reading]
) -> dict[str, str]:
    digests = {"rows": rows.digest, "reading": reading.digest}
    digests |= {f"learned {name}": held[2] for name, held in learned.items()}
    return digests | {f"beside {name}": other.digest for name, other in beside.items()}
