"""Arguments of commands: how they are declared, and how their texts are read."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sae_surgery.errors import SurgeryError
from sae_surgery.plan import documents, schemas
from sae_surgery.problems.paper import Cell

MOST_THREADS = 1024
"""More than any processor has that this was tried on."""


class Argument(NamedTuple):
    """One argument, as `argparse` takes it."""

    flags: tuple[str, ...]
    options: dict[str, Any]


class OneOf(tuple[Argument, ...]):
    """Arguments of which exactly one must be given."""


class Command(NamedTuple):
    """One subcommand. `sae_surgery.steps.<name>.<name>` takes the arguments' values by name."""

    name: str
    text: str
    """Its description; the first sentence is its line in the list of all."""
    arguments: tuple[Argument | OneOf, ...]
    recorded: bool = True
    """Whether it writes in its log what it did, for the report of a run."""


def argument(*flags: str, **options: Any) -> Argument:
    """Declare an argument by what `ArgumentParser.add_argument` takes."""
    return Argument(flags, options)


def choice(metavar: str, allowed: Sequence[str]) -> Argument:
    """Declare the argument `name`, one of those allowed."""
    return argument("name", metavar=metavar, choices=allowed, help=", ".join(allowed))


def file(flag: str, dest: str, text: str, **options: Any) -> Argument:
    """Declare an option whose value is a file to read; required if nothing else is said."""
    settings = {"type": existing_file, "required": True, **options}
    return Argument((flag,), {"dest": dest, "help": text, **settings})


def optional_file(flag: str, dest: str, text: str, **options: Any) -> Argument:
    """Declare a file that may be left out."""
    return file(flag, dest, text, required=False, **options)


def files(flag: str, dest: str, text: str) -> Argument:
    """Declare an option whose values are files to read, at least one and none twice."""
    return file(flag, dest, text, nargs="+", action=Distinct)


def some_files(flag: str, dest: str, text: str) -> Argument:
    """Declare an option whose values are files to read, none if it is left out."""
    return file(flag, dest, text, nargs="+", default=[], required=False)


def written(flag: str, text: str, dest: str | None = None, required: bool = True) -> Argument:
    """Declare an option whose value is a file to write."""
    options = {"type": new_file, "required": required, "help": text}
    return Argument((flag,), options | ({"dest": dest} if dest else {}))


def output(kind: str = "NetCDF") -> Argument:
    """Declare the one file that a step writes."""
    return written("--output", f"{kind} file to write")


def tables(which: str) -> Argument:
    """Declare the tables that a page or figure is made from."""
    return files("--tables", "table_paths", which)


def settings(example: str) -> Argument:
    """Declare settings of a part, given as JSON."""
    text = f"settings that replace the paper's, as JSON: {example}"
    return argument("--settings", type=json_object, default={}, help=text)


class Distinct(argparse.Action):
    """Stores a list of which no entry is given twice."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Store the values, or refuse them."""
        twice = {str(value) for index, value in enumerate(values) if value in values[:index]}
        if twice:
            raise argparse.ArgumentError(self, f"{', '.join(sorted(twice))} is given twice")
        setattr(namespace, self.dest, values)


def cell(text: str) -> Cell:
    """Read the name of a cell of the paper's problem."""
    try:
        return Cell.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def seed(text: str) -> int:
    """Read a seed; MT19937 takes 32 bits."""
    if not _is_whole(text) or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {2**32 - 1}")
    return int(text)


def threads(text: str) -> int:
    """Read a number of threads."""
    if not _is_whole(text) or not 1 <= int(text) <= MOST_THREADS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST_THREADS}")
    return int(text)


def count(text: str) -> int:
    """Read a number of things, at least one."""
    if not _is_whole(text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= documents.LONGEST_NUMBER


def path(text: str) -> Path:
    """Read the path of a file or a folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("an empty name; a file or a folder is needed")
    return Path(text)


def existing_file(text: str) -> Path:
    """Read the path of a file; whether there is one is found by the step that reads it."""
    if not text.strip():
        raise argparse.ArgumentTypeError("an empty name; a file is needed")
    if os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"{text} is a folder; a file is needed")
    return Path(text)


def new_file(text: str) -> Path:
    """Read the path of a file to write: found out now, not after hours, that it cannot exist."""
    path = existing_file(text)
    folder(str(path.parent))
    return path


def folder(text: str) -> Path:
    """Read the path of a folder, which may be made later."""
    if not text.strip():
        raise argparse.ArgumentTypeError("an empty name; a folder is needed")
    for each in (Path(text), *Path(text).parents):
        if os.path.exists(each) and not os.path.isdir(each):
            raise argparse.ArgumentTypeError(f"{each} is a file; a folder is needed")
    return Path(text)


def sweep(text: str) -> dict[str, Any]:
    """Read what a table is to hold."""
    value = json_object(text)
    wrong = schemas.problems(value, schemas.schema("sweep"), "sweep")
    if wrong:
        lines = [line for lines in wrong.values() for line in lines]
        raise argparse.ArgumentTypeError("; ".join(lines))
    return value


def json_object(text: str) -> dict[str, Any]:
    """Read a JSON object."""
    try:
        value = documents.parse_json(text)
    except SurgeryError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("a JSON object in braces is needed")
    return value
