"""Text is read and written the same whatever the locale: no call leaves the encoding to it."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for part in ("workflow", "tests") for path in (ROOT / part).rglob("*.py"))
OPEN_NO_TEXT = {"Image", "NetCDF4DataStore", "os", "tarfile"}
RUNS = {"run", "Popen", "check_call", "check_output"}


def leaves_it_to_the_locale(node: ast.AST) -> bool:
    """Return whether a call reads or writes text in the encoding of the locale."""
    if not isinstance(node, ast.Call):
        return False
    said = {keyword.arg for keyword in node.keywords}
    owner, _, name = ast.unparse(node.func).rpartition(".")
    if name in RUNS:
        # Other programs speak the locale's encoding, or another: that must stop nobody.
        return bool(said & {"text", "universal_newlines"}) and not said & {"encoding", "errors"}
    if name == "open":
        words = [str(each.value) for each in node.args if isinstance(each, ast.Constant)]
        binary = any("b" in word for word in words[-1:])
        of_text = owner.rpartition(".")[2] not in OPEN_NO_TEXT
        return of_text and not binary and "encoding" not in said
    # The package's own functions of these names say how.
    return bool(owner) and name in {"read_text", "write_text"} and "encoding" not in said


@pytest.mark.parametrize(
    ("call", "leaves"),
    [
        ("path.read_text()", True),
        ("Path(name).write_text(text)", True),
        ("open(name)", True),
        ("path.open('w', newline='')", True),
        ("subprocess.run(command, text=True)", True),
        ("subprocess.Popen(command, universal_newlines=True)", True),
        ("path.read_text(encoding='utf-8')", False),
        ("write_text(path, text)", False),
        ("open(name, 'rb')", False),
        ("path.open('wb')", False),
        ("subprocess.run(command, text=True, errors='replace')", False),
        ("subprocess.run(command)", False),
    ],
)
def test_calls_are_told_apart(call, leaves):
    assert leaves_it_to_the_locale(ast.parse(call, mode="eval").body) is leaves


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_call_leaves_the_encoding_to_the_locale(path):
    tree = ast.parse(path.read_bytes())
    assert [node.lineno for node in ast.walk(tree) if leaves_it_to_the_locale(node)] == []


PROGRAM = """
import locale
from pathlib import Path
from sae_surgery import cli, figures, methods
from sae_surgery.pages import claims
from sae_surgery.machine.atomic import read_text, write_text
from sae_surgery.machine.provenance import source_digest

print(locale.getpreferredencoding(), flush=True)
folder = Path("written")
write_text(folder / "text", "λ − größer ✓ \\udcff")
print(ascii(read_text(folder / "text")))
print((folder / "text").read_bytes().hex())
steps = ("fit", "claims", "draw", "compare", "numbers", "typeset", "report", "archive")
print([source_digest(f"sae_surgery.steps.{step}") for step in steps])
print([source_digest(f"sae_surgery.figures.{name}") for name in figures.available()])
print(source_digest("sae_surgery.pages.comparison.page"), claims.digest())
print([ascii(methods.trait(name, "title")) for name in methods.available()])
cli.main(["methods"])
print("λ")
"""


def run(folder: Path, **environment: str) -> list[str]:
    """Return the lines that the program prints in a locale."""
    folder.mkdir()
    program = folder / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    said = ("LC_", "LANG", "PYTHONUTF8", "PYTHONCOERCE", "PYTHONIOENCODING")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(said)}
    command = [sys.executable, str(program)]
    done = subprocess.run(
        command, cwd=folder, env=clean | environment, stdout=subprocess.PIPE, check=True
    )
    return done.stdout.decode("latin-1").splitlines()


@pytest.fixture(scope="module")
def in_utf8(tmp_path_factory) -> list[str]:
    return run(tmp_path_factory.mktemp("utf8") / "here", LC_ALL="C.UTF-8")


def test_all_is_the_same_in_the_bare_c_locale(in_utf8, tmp_path):
    lines = run(tmp_path / "here", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert lines[0] == "ANSI_X3.4-1968"
    assert lines[1:-1] == in_utf8[1:-1]
    assert lines[-1] == r"\u03bb"


@pytest.mark.skipif(
    not Path("/usr/share/i18n/charmaps").exists(),
    reason="there is nothing to make a locale of; Debian's package `locales` has it",
)
@pytest.mark.parametrize(
    ("language", "encoding"), [("de_DE", "ISO-8859-1"), ("tr_TR", "ISO-8859-9")]
)
def test_all_is_the_same_in_a_locale_of_another_encoding(language, encoding, in_utf8, tmp_path):
    name = f"{language}.{encoding}"
    subprocess.run(["localedef", "-i", language, "-f", encoding, tmp_path / name], check=True)
    lines = run(tmp_path / "here", LOCPATH=str(tmp_path), LC_ALL=name)
    assert lines[0] == encoding
    assert lines[1:-1] == in_utf8[1:-1]
    assert lines[-1] == r"\u03bb"
