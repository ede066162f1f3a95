"""The reference: methods, surgeries, problems, files and commands, as the code has them."""

import ast
import contextlib
import inspect
import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, fields
from itertools import pairwise

from sae_surgery import cli, methods, problems, surgeries
from sae_surgery.files import store


def of_methods() -> str:
    """Return the page of all methods."""
    text = ["# Methods", "", "A configuration sets their settings under `settings`.", ""]
    for name in methods.available():
        method = methods.load(name)
        facts = {
            "in figures": method.title,
            "kind": method.family,
            "learns from": ", ".join(method.learns_from) or "nothing",
            "is given": " and ".join(f"the true {what}" for what in method.knows) or "no truth",
            "starts from": method.parent and f"the model of `{method.parent}`",
            "under `strict`": dict(method.strict),
        }
        text += _part(name, type(method), facts, type(method).Settings)
    return "\n".join(text)


def of_surgeries() -> str:
    """Return the page of all surgeries."""
    text = ["# Surgeries", ""]
    for name in surgeries.available():
        surgery = type(surgeries.load(name))
        text += _part(name, surgery, {"question": surgery.question}, surgery.Settings)
    return "\n".join(text)


def of_problems() -> str:
    """Return the page of all problems."""
    text = ["# Settings of problems", "", "Each is a key of a sweep, with one value or a list.", ""]
    for name in problems.available():
        kind = problems.kind(name)
        knows = ", ".join(kind.knows) or "nothing but observations"
        text += _part(name, kind, {"known of its truth": knows}, kind)
    return "\n".join(text)


def of_files() -> str:
    """Return the page of the kinds of files."""
    text = ["# Files", "", _paragraphs(store), "", f"Conventions: {store.CONVENTIONS}.", ""]
    text += [
        "Below is what a file of each kind must hold; parameters of models are named by methods.",
        "",
    ]
    for kind, variables in store.REQUIRED.items():
        optional = store.OPTIONAL.get(kind, {})
        rows = [(*row, "always") for row in variables.items()]
        rows += [(*row, "where there is one") for row in optional.items()]
        if rows:
            text += [f"## {kind}", "", "| variable | dimensions | |", "|---|---|---|"]
            text += [f"| `{each}` | {', '.join(dims)} | {when} |" for each, dims, when in rows]
            text.append("")
    return "\n".join(text)


def of_commands() -> str:
    """Return the page of all commands: what `--help` prints."""
    every = _help()
    text = ["# Command line", "", "```text", every, "```", ""]
    for step in re.findall(r"^    (\w+) {2}", every, re.MULTILINE):
        text += [f"## {step}", "", "```text", _help(step), "```", ""]
    return "\n".join(text)


def _help(*words: str) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        cli.main([*words, "--help"])
    return printed.getvalue().rstrip()


def _part(name: str, cls: type, facts: dict, settings: type) -> Iterator[str]:
    """Yield the lines of a part: what it is, facts on it, and its settings."""
    yield from (f"## {name}", "", _paragraphs(inspect.getmodule(cls)), "")
    yield from (f"- {key}: {value}" for key, value in facts.items() if value)
    yield ""
    rows = [*_settings(settings)]
    if rows:
        yield from ("| setting | default | |", "|---|---|---|")
        yield from (f"| `{key}` | {default} | {text} |" for key, default, text in rows)
        yield ""


def _settings(cls: type) -> Iterator[tuple[str, str, str]]:
    texts = {}
    for base in reversed(cls.__mro__[:-1]):
        texts |= dict(_documented(base))
    for field in fields(cls):
        default = "" if field.default is MISSING else f"`{field.default!r}`"
        yield field.name, default, texts.get(field.name, "").replace("|", r"\|")


def _documented(cls: type) -> Iterable[tuple[str, str]]:
    """Yield the fields of a class with the strings that stand below them."""
    body = ast.parse(inspect.cleandoc("\n" + inspect.getsource(cls))).body[0].body
    for field, below in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr):
            yield field.target.id, " ".join(str(ast.literal_eval(below.value)).split())


def _paragraphs(module: object) -> str:
    return inspect.getdoc(module) or ""


PAGES: dict[str, Callable[[], str]] = {
    "methods": of_methods,
    "surgeries": of_surgeries,
    "problems": of_problems,
    "files": of_files,
    "command_line": of_commands,
}
"""Pages of the reference by name."""
