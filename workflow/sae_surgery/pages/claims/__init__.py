"""Claims as data: sentences, each with the comparisons on a run's tables that decide it.

`paper.yaml` lists those of the paper; the form of a list is `claims.schema.yaml`. The Snakefile
reads the list at every start, so this module imports nothing heavy; `judging` is the engine.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sae_surgery.errors import SurgeryError
from sae_surgery.plan import schemas
from sae_surgery.plan.documents import Document, read_yaml

PAPER = Path(__file__).parent / "paper.yaml"


@dataclass(frozen=True)
class Claim:
    """A sentence, and the comparisons that must all hold if it is true."""

    id: str
    statement: str
    made_in: str
    checks: tuple[Mapping[str, Any], ...]


def load(path: Path = PAPER) -> tuple[Claim, ...]:
    """Read a list of claims.

    Raises
    ------
    SurgeryError
        If there is no such file, or it is not such a list, or two claims share an id.
    """
    given = _read(path)
    problems = [
        f"{given.places.get(key, path)}: {line}"
        for key, lines in schemas.problems(given.value, schemas.schema("claims")).items()
        for line in lines
    ]
    if problems:
        raise SurgeryError("\n".join(problems))
    claims = tuple(Claim(**each | {"checks": tuple(each["checks"])}) for each in given.value)
    twice = {claim.id for claim in claims if [each.id for each in claims].count(claim.id) > 1}
    if twice:
        raise SurgeryError(f"{path}: several claims have the id {', '.join(sorted(twice))}")
    return claims


def experiments(claims: Sequence[Claim]) -> set[str]:
    """Return the names of the experiments that claims are judged on."""
    return {check["experiment"] for claim in claims for check in claim.checks}


def digest(path: Path = PAPER) -> str:
    """Return a digest of what a list says, whatever its comments and layout."""
    said = json.dumps(_read(path).value, sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _read(path: Path) -> Document:
    read = read_yaml(path, schemas.schema("claims"))
    if not isinstance(read.value, list):
        raise SurgeryError(f"{path}: holds no list of claims, which begin with `- id:`")
    return read
