"""What people write, read strictly: YAML files, `--config key=value`, and JSON on a command line.

Numbers are read as they are written, which YAML 1.1 does not do: there, 1e-3 is a text, 010 is 8
and 1:30 is 90. What a schema wants as a text is the text that stands there, be it 2026-11-21, 12 or
yes. A key that is given twice is an error.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import yaml

from sae_surgery.errors import SurgeryError

LARGEST_FILE = 10_000_000
"""Bytes; a larger file is nothing that a person has written."""

LONGEST_NUMBER = 400
"""Characters; Python refuses to read integers of some thousand digits."""

_YAML = "tag:yaml.org,2002:"
_TYPES = {"null": "null", "boolean": "bool", "integer": "int", "number": "float"}
"""Types of a schema, and the tags of the scalars that are of them."""


@dataclass(frozen=True)
class Document:
    """What stands in a file or on a command line.

    Attributes
    ----------
    value
        Mappings, lists, texts, numbers, truth values and None.
    places
        Where each key or entry stands, `<file>:<line>`, by its path with dots: `sweeps.latents.k`.
    """

    value: Any
    places: Mapping[str, str] = field(default_factory=dict)


def read_yaml(path: Path, schema: Mapping[str, Any]) -> Document:
    """Read a YAML file, of which JSON is a part.

    Raises
    ------
    SurgeryError
        If it cannot be read, is not text in UTF-8, not YAML, or gives a key twice.
    """
    return parse_yaml(_text(path), str(path), schema)


def parse_yaml(text: str, name: str, schema: Mapping[str, Any], key: str = "") -> Document:
    """Read YAML that stands in the file called `name`, or on the command line as value of `key`.

    Raises
    ------
    SurgeryError
        If it is not YAML, or gives a key twice.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return Document(None)
        places, twice = _Survey(name, loader).of(node, schema, key)
        if twice:
            raise SurgeryError("\n".join(twice))
        return Document(loader.construct_document(node), places)
    except yaml.YAMLError as error:
        raise SurgeryError(_explain(error, name)) from error
    except RecursionError as error:
        raise SurgeryError(f"{name}: is nested too deeply") from error


def parse_json(text: str) -> Any:
    """Read JSON; numbers are finite, and no key is given twice.

    Raises
    ------
    SurgeryError
        If it is anything else.
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=_once,
            parse_float=number,
            parse_int=number,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError) as error:
        raise SurgeryError(f"not valid JSON: {error}") from error


def number(text: str) -> int | float:
    """Read a number as it is written; one with an exponent that is whole is an integer, as 1e4 is.

    Raises
    ------
    ValueError
        If it is none, or has hundreds of digits.
    """
    text = text.strip().replace("_", "")
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"a number of {len(text)} characters is too long")
    if re.fullmatch(r"[-+]?[0-9]+", text):
        return int(text)
    value = float(re.sub(r"\.(?=[a-z])", "", text.lower()))
    exact = "e" in text.lower() and abs(value) < 2**53 and value.is_integer()
    return int(value) if exact else value


def _text(path: Path) -> str:
    """Return a file's text; a mark of its encoding at its beginning is passed over."""
    try:
        if path.exists() and not path.is_file():
            raise SurgeryError(f"{path}: is {'a folder' if path.is_dir() else 'no regular file'}")
        if path.stat().st_size > LARGEST_FILE:
            raise SurgeryError(f"{path}: is too large, {path.stat().st_size} bytes")
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise SurgeryError(f"{path}: there is no such file") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SurgeryError(f"{path}:{line}: is not text in UTF-8: {error.reason}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SurgeryError(f"{path}: cannot be read: {reason}") from error


class _Loader(yaml.SafeLoader):
    """A loader of plain values that finds numbers, truth values and null, but no dates."""


# That of YAML 1.1 has a great deal more.
_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF", None),
    ("null", r"~|null|Null|NULL|", None),
    ("merge", r"<<", "<"),
    ("int", r"[-+]?[0-9][0-9_]*", None),
    (
        "float",
        r"[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        None,
    ),
):
    _Loader.add_implicit_resolver(_YAML + _tag, re.compile(rf"(?:{_pattern})\Z"), _first)


def _construct_number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int | float:
    try:
        return number(node.value)
    except ValueError as error:
        raise _error(node, str(error)) from error


_Loader.add_constructor(_YAML + "int", _construct_number)
_Loader.add_constructor(_YAML + "float", _construct_number)


class _Survey:
    """A walk over the nodes of a document: where they stand, which keys are given twice.

    On its way it makes texts of what is not meant as a number: keys, and what the schema says.
    """

    def __init__(self, name: str, loader: _Loader) -> None:
        self.name = name
        self.loader = loader
        self.places: dict[str, str] = {}
        self.twice: list[str] = []
        self.seen: set[int] = set()
        self.open: set[int] = set()
        """Nodes that the present one is part of."""

    def of(
        self, node: yaml.Node, schema: Mapping[str, Any], key: str
    ) -> tuple[dict[str, str], list[str]]:
        """Return where all stands, and a line for each key that is given twice."""
        self._visit(node, schema, key)
        return self.places, self.twice

    def _visit(self, node: yaml.Node, schema: Mapping[str, Any], key: str) -> None:
        if key:
            self.places.setdefault(key, self._place(node))
        if id(node) in self.open:
            raise _error(node, "an alias names what it is part of")
        # A node that an alias names comes again.
        if id(node) in self.seen:
            return
        self.seen.add(id(node))
        self.open.add(id(node))
        self._require_plain(node)
        if isinstance(node, yaml.MappingNode):
            self._visit_mapping(node, schema, key)
        elif isinstance(node, yaml.SequenceNode):
            for index, entry in enumerate(node.value):
                self._visit(entry, schema.get("items", {}), _join(key, str(index)))
        elif _is_text(node, schema):
            node.tag = _YAML + "str"
        self.open.remove(id(node))

    def _visit_mapping(self, node: yaml.MappingNode, schema: Mapping[str, Any], key: str) -> None:
        lines: dict[str, int] = {}
        others = schema.get("additionalProperties")
        for name, value in node.value:
            if not isinstance(name, yaml.ScalarNode):
                raise _error(name, "a key must be a name, not a list or mapping")
            if name.tag != _YAML + "merge":
                name.tag = _YAML + "str"
            line, full = name.start_mark.line + 1, _join(key, name.value)
            if name.value in lines:
                self.twice.append(
                    f"{self.name}: the key {full!r} is given twice, in lines {lines[name.value]} "
                    f"and {line}; only one of them can be kept"
                )
            lines[name.value] = line
            self.places.setdefault(full, self._place(name))
            below = schema.get("properties", {}).get(name.value, others)
            self._visit(value, below if isinstance(below, Mapping) else {}, full)

    def _require_plain(self, node: yaml.Node) -> None:
        """Raise YAMLError for a tag that makes anything but what a value looks like."""
        value = node.value if isinstance(node, yaml.ScalarNode) else None
        looks_like = self.loader.resolve(type(node), value, (True, False))
        if node.tag not in (looks_like, _YAML + "str"):
            raise _error(node, f"the tag {node.tag.replace(_YAML, '!!')} is not allowed here")

    def _place(self, node: yaml.Node) -> str:
        return f"{self.name}:{node.start_mark.line + 1}"


def _error(node: yaml.Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


def _is_text(node: yaml.ScalarNode, schema: Mapping[str, Any]) -> bool:
    """Return whether a scalar is to be a text: what it looks like is not wanted, a text is."""
    wanted = schema.get("type", [])
    wanted = [wanted] if isinstance(wanted, str) else wanted
    looks_right = any(node.tag == _YAML + _TYPES[each] for each in wanted if each in _TYPES)
    plain = node.tag in {_YAML + tag for tag in _TYPES.values()}
    return plain and "string" in wanted and not looks_right


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _explain(error: yaml.YAMLError, name: str) -> str:
    """Say in one line what is not YAML, and where."""
    mark = getattr(error, "problem_mark", None)
    place = f"{name}:{mark.line + 1}" if mark else name
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or error
    line = f"{place}: is not valid YAML: {' '.join(str(problem).split())}"
    return f"{line}; indent with spaces" if "\\t" in line else line


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise ValueError(f"the key {key!r} is given twice")
        made[key] = value
    return made


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a finite number")


def finite(value: Any) -> bool:
    """Return whether a value is a number that is finite; a truth value is none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and (isinstance(value, int) or math.isfinite(value))


def as_number(value: Any) -> int | float | None:
    """Return the finite number that a text, or a number of another type, stands for."""
    try:
        read = number(value) if isinstance(value, str) else value
    except ValueError:
        return None
    if not finite(read):
        return None
    return int(read) if abs(read) < 2**53 and read == int(read) else read
