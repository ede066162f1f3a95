"""Write the page on trained SAEs from the answers to all questions."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sae_surgery import examination
from sae_surgery.examination import HELD_OUT, LEARN, OOD
from sae_surgery.files.answers import read_answer
from sae_surgery.files.readings import read_reading
from sae_surgery.files.rows import Rows, read_rows
from sae_surgery.files.store import StoreError
from sae_surgery.machine.atomic import write_text
from sae_surgery.pages.examination.findings import Finding, Given
from sae_surgery.pages.examination.page import as_frame, as_html, as_markdown


def present(
    run_name: str,
    rows_paths: Sequence[Path],
    readings_paths: Sequence[Path],
    answers_paths: Sequence[Path],
    output_dir: Path,
) -> None:
    """Write `page.html`, `page.md` and `page.csv`.

    Readings lie in a folder named as the SAE is, which answers carry, too.

    Raises
    ------
    SurgeryError
        If a file is missing, damaged, or of rows or an SAE that are not among the others.
    """
    rows = {each.digest: each for each in map(read_rows, rows_paths)}
    answers: dict[str, dict[str, Given]] = {}
    for path in answers_paths:
        frame, attributes = read_answer(path)
        name = attributes["question"]
        question, notes = examination.load(name), attributes["notes"]
        given = Given(name, question, frame, notes, attributes["status"])
        answers.setdefault(attributes["sae"], {})[name] = given
    findings = [_finding(path, rows, answers) for path in readings_paths]
    title = f"Trained SAEs examined: {run_name}"
    write_text(output_dir / "page.html", as_html(findings, title))
    write_text(output_dir / "page.md", as_markdown(findings, title))
    numbers = as_frame(findings).to_csv(index=False, float_format="%.7g")
    write_text(output_dir / "page.csv", numbers)


def _finding(
    path: Path, all_rows: dict[str, Rows], answers: dict[str, dict[str, Given]]
) -> Finding:
    reading, name = read_reading(path), path.parent.name
    rows = all_rows.get(reading.made_from["rows"])
    if rows is None:
        raise StoreError(f"{path}: stale or foreign; it was made from other rows")
    sizes = {split: int(rows.of(split).sum()) for split in (LEARN, HELD_OUT, OOD)}
    sizes |= {
        "obs": reading.dictionary.shape[0],
        "atoms": reading.dictionary.shape[1],
        "rows": rows.n_rows,
        "repeated": rows.n_repeated,
        "seen": int(np.count_nonzero(rows.seen[rows.of(HELD_OUT)])),
        "counted": reading.n_counted,
    }
    order = [each for each in examination.available() if each in answers.get(name, {})]
    return Finding(name, reading.facts, sizes, {each: answers[name][each] for each in order})
