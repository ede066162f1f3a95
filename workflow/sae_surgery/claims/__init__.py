"""Claims as data: sentences, each with the comparisons on a run's tables that decide it.

`paper.yaml` lists those of the paper; the form of a list is `claims.schema.yaml`. The Snakefile
reads the list at every start, so this module imports nothing heavy; `judging` is the engine.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from sae_surgery.errors import SurgeryError

PAPER = Path(__file__).parent / "paper.yaml"
SCHEMA_FILE = Path(__file__).parents[2] / "schemas" / "claims.schema.yaml"


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
    try:
        given = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError) as error:
        raise SurgeryError(f"{path}: cannot be read: {error}") from error
    error = best_match(_validator().iter_errors(given))
    if error is not None:
        place = ".".join(map(str, error.absolute_path)) or "the list"
        raise SurgeryError(f"{path}: {place}: {error.message}")
    claims = tuple(Claim(**each | {"checks": tuple(each["checks"])}) for each in given)
    twice = {claim.id for claim in claims if [each.id for each in claims].count(claim.id) > 1}
    if twice:
        raise SurgeryError(f"{path}: several claims have the id {', '.join(sorted(twice))}")
    return claims


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(yaml.safe_load(SCHEMA_FILE.read_bytes()))


def experiments(claims: Sequence[Claim]) -> set[str]:
    """Return the names of the experiments that claims are judged on."""
    return {check["experiment"] for claim in claims for check in claim.checks}


def digest(path: Path = PAPER) -> str:
    """Return a digest of what a list says, whatever its comments and layout."""
    said = json.dumps(yaml.safe_load(path.read_bytes()), sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]
