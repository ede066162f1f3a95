"""Values checked against JSON schemas, with messages for people: key, value, what is allowed."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from re import fullmatch
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError, validators
from jsonschema.exceptions import best_match

from sae_surgery.errors import did_you_mean
from sae_surgery.plan.documents import as_number, finite

FOLDER = Path(__file__).parents[2] / "schemas"
_NUMERIC = {"integer", "number"}


@cache
def schema(name: str) -> dict[str, Any]:
    """Return the schema `workflow/schemas/<name>.schema.yaml`."""
    return yaml.safe_load((FOLDER / f"{name}.schema.yaml").read_text(encoding="utf-8"))


def problems(value: Any, checked: Mapping[str, Any], key: str = "") -> dict[str, list[str]]:
    """Return what is wrong with a value: by its path with dots, lines that begin with a path.

    Parameters
    ----------
    checked
        The schema. Integers must be written as such, 5.0 is none; numbers are finite; patterns are
        of whole texts.
    key
        Path of the value itself.
    """
    found: dict[str, list[str]] = {}
    for error in _Validator(checked).iter_errors(value):
        at = join(key, *error.absolute_path)
        for below, line in _explain(error):
            lines = found.setdefault(join(at, *below), [])
            line = f"{at or 'configuration'}: {line}"
            # Keys that are missing are one line, and found one by one.
            if line not in lines:
                lines.append(line)
    return found


def join(*parts: str | int) -> str:
    """Return the path of a key with dots; parts that are empty are left out."""
    return ".".join(str(part) for part in parts if part != "")


def _match(validator: Any, pattern: str, instance: Any, _: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not fullmatch(pattern, instance):
        yield ValidationError("does not match")


_Validator = validators.extend(
    Draft202012Validator,
    {"pattern": _match},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _, value: isinstance(value, int) and not isinstance(value, bool),
            "number": lambda _, value: finite(value),
        }
    ),
)


def _explain(error: ValidationError) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield which key below is wrong, if it is one below, and the value and what is allowed."""
    limit, value = error.validator_value, error.instance
    shown = repr(value) if len(repr(value)) < 200 else f"{repr(value)[:200]}…"
    match error.validator:
        case "not":
            yield (), f"only one of {', '.join(limit['required'])} can be given"
        case "additionalProperties":
            known = error.schema.get("properties", {})
            for name in value:
                if name not in known:
                    hint = did_you_mean(str(name), known)
                    yield (
                        (str(name),),
                        f"unknown key {name!r}; {hint}allowed are {', '.join(known)}",
                    )
        case "required":
            missing = [name for name in limit if name not in value]
            yield (), f"the key {', '.join(map(repr, missing))} is missing"
        case "type":
            wanted = [limit] if isinstance(limit, str) else limit
            yield (), f"{shown} is not of type {' or '.join(wanted)}{_advice(value, wanted)}"
        case "enum":
            hint = did_you_mean(str(value), map(str, limit))
            yield (), f"{shown} is unknown; {hint}allowed are {', '.join(map(str, limit))}"
        case "minItems" | "minProperties":
            yield (), f"{shown} is empty; at least one entry is needed"
        case "uniqueItems":
            twice = {repr(item) for index, item in enumerate(value) if item in value[:index]}
            yield (), f"{shown} holds {', '.join(sorted(twice))} more than once"
        case "minimum":
            yield (), f"{shown} is too small; allowed are numbers from {limit}"
        case "exclusiveMinimum":
            yield (), f"{shown} is too small; allowed are numbers above {limit}"
        case "maximum":
            yield (), f"{shown} is too large; allowed are numbers up to {limit}"
        case "maxLength":
            yield (), f"{shown} is too long; allowed are up to {limit} characters"
        case "pattern":
            yield (), f"{shown} is not a valid name; allowed are names that match {limit}"
        case "oneOf" if error.context:
            best = best_match(error.context)
            yield (), f"{shown} fits none of what is allowed; {best.message}"
        case _:
            yield (), error.message


def _advice(value: Any, wanted: list[str]) -> str:
    """Return what to write in the place of a value of the wrong type, if that is plain."""
    if "array" in wanted and isinstance(value, str | int | float):
        return f"; write [{value}]"
    if wanted == ["boolean"]:
        return "; allowed are true and false"
    if not _NUMERIC & set(wanted):
        return ""
    read = as_number(value)
    if read is not None and ("number" in wanted or isinstance(read, int)):
        return f"; write {read!r}{', without quotes' if isinstance(value, str) else ''}"
    return " (it must be finite)" if isinstance(value, float) and not finite(value) else ""
