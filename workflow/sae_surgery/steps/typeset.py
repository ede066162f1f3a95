"""Typeset the manuscript from the numbers and figures of a run."""

import json
import os
from pathlib import Path
from typing import Any

import typst

from sae_surgery.errors import SurgeryError
from sae_surgery.machine.atomic import read_text, replacing
from sae_surgery.pages.prose import bare_numbers
from sae_surgery.steps.numbers import digest


def typeset(source: Path, numbers_path: Path, output: Path) -> None:
    """Compile a manuscript to PDF, always to the same bytes for the same inputs.

    It reads `numbers_path` and the figures in the folder `figures` beside that, and is set in the
    fonts that come with Typst.

    Raises
    ------
    SurgeryError
        If a number is stale, if the text names a number or figure that no rule makes, writes one
        out, or is no valid Typst.
    """
    _require_fresh(numbers_path)
    written_out = bare_numbers(read_text(source))
    if written_out:
        lines = "\n".join(f"  line {line}: {text}" for line, text in written_out)
        raise SurgeryError(f"{source}: numbers must be quoted by their key, not written:\n{lines}")
    texts, numbers = (os.path.abspath(path.parent) for path in (source, numbers_path))
    root = os.path.commonpath([texts, numbers])
    folder = Path(numbers).relative_to(root).as_posix()
    try:
        pdf = typst.compile(
            str(source), root=root, ignore_system_fonts=True, sys_inputs={"results": f"/{folder}"}
        )
    except typst.TypstError as error:
        told = "\n  ".join([error.message, *error.hints])
        raise SurgeryError(f"{source}: cannot be typeset: {told}") from error
    with replacing(output) as temporary:
        temporary.write_bytes(pdf)


def _require_fresh(path: Path) -> None:
    """Raise a SurgeryError that names every file that has changed since its numbers were taken."""
    changed = [name for name, taken in _sources(path).items() if _now(path.parent / name) != taken]
    if changed:
        names = ", ".join(changed)
        raise SurgeryError(f"{path}: stale: changed since its numbers were taken: {names}")


def _sources(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_bytes())["sources"]
    except (OSError, ValueError, KeyError) as error:
        raise SurgeryError(f"{path}: not a readable file of numbers ({error!r})") from error


def _now(path: Path) -> str | None:
    return digest(path) if path.is_file() else None
