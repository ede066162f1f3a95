"""The section `examine` of a configuration: which SAEs are examined, on what, and by what jobs.

The Snakefile reads it at every start, so this module imports nothing heavy.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sae_surgery import examination
from sae_surgery.errors import did_you_mean
from sae_surgery.examination import STARTED

UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
LONGEST_STEM = 40
FLOAT32 = 4


@dataclass(frozen=True)
class Rows:
    """The files that rows are drawn from; SAEs that name the same ones share the rows."""

    activations: str
    ood: str | None
    labels: str | None

    @property
    def key(self) -> str:
        """A name for paths, `acts_1a2b3c4d`."""
        names = json.dumps([self.activations, self.ood, self.labels])
        digest = hashlib.sha256(names.encode()).hexdigest()[:8]
        return f"{UNSAFE.sub('-', Path(self.activations).stem)[:LONGEST_STEM]}_{digest}"

    @property
    def files(self) -> list[str]:
        """The files and folders."""
        return [path for path in (self.activations, self.ood, self.labels) if path]


@dataclass(frozen=True)
class Sae:
    """One SAE that is examined."""

    path: str
    format: str | None
    overrule: tuple[str, ...]
    rows: Rows


@dataclass(frozen=True)
class Examination:
    """What is examined; nothing if there are no SAEs."""

    saes: Mapping[str, Sae]
    samples: int
    held_out: float
    counted: int
    seeds: tuple[int, ...]
    rivals: bool
    questions: tuple[str, ...]

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> "Examination":
        """Make it of a section that is valid and complete."""
        questions = section["questions"] or examination.available()
        return cls(
            saes={name: _sae(given, section) for name, given in section["saes"].items()},
            samples=section["samples"],
            held_out=section["held_out"],
            counted=max(section["counted"], section["samples"]),
            seeds=tuple(section["seeds"]),
            rivals=section["rivals"],
            questions=tuple(name for name in examination.available() if name in questions),
        )

    @property
    def rows(self) -> dict[str, Rows]:
        """All files that rows are drawn from, by key."""
        return {sae.rows.key: sae.rows for sae in self.saes.values()}

    @property
    def learned(self) -> tuple[str, ...]:
        """Names of the dictionaries that are learned beside each SAE."""
        return (*map(str, self.seeds), STARTED) if self.rivals else ()

    def gigaproducts(self, name: str) -> float:
        """Return 10⁹ products of all rows with an SAE's decoder, by the size of its files.

        They are taken for an encoder and a decoder in single precision; a missing file has no size.
        """
        path = Path(self.saes[name].path)
        files = path.iterdir() if path.is_dir() else [path]
        n_bytes = sum(file.stat().st_size for file in files if file.is_file())
        return self.samples * n_bytes / (2 * FLOAT32) / 1e9

    def beside(self, name: str) -> tuple[str, ...]:
        """Return the other SAEs that are examined on the same rows."""
        rows = self.saes[name].rows
        return tuple(
            other for other, sae in self.saes.items() if sae.rows == rows and other != name
        )


def wrong(section: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each thing that is wrong with a section whose keys and types are right."""
    for name, given in section["saes"].items():
        if not given.get("path"):
            yield f"examine.saes.{name}.path: is empty; the file or folder of an SAE is needed"
        if not (given.get("activations") or section["activations"]):
            yield (
                f"examine.saes.{name}: has no activations; name a file in examine.activations, or "
                "in the SAE's own key of that name"
            )
    known = examination.available()
    for name in section["questions"] or ():
        if name not in known:
            hint = did_you_mean(name, known)
            yield f"examine.questions: {name!r} is unknown; {hint}allowed are {', '.join(known)}"


def _sae(given: Mapping[str, Any], section: Mapping[str, Any]) -> Sae:
    own = given if given["activations"] else section
    rows = Rows(own["activations"], given["ood"] or own["ood"], given["labels"] or own["labels"])
    return Sae(given["path"], given["format"], tuple(given["overrule"]), rows)
