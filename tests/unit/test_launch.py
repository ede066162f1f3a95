"""Steps start alike from everywhere: no foreign module, no other clone's package, room to cache."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sae_surgery.machine import launch

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent
COMMANDS = {
    "module": [sys.executable, "-m", "sae_surgery"],
    "program": [str(PROGRAMS / "sae-surgery")],
}
FOREIGN = "raise SystemExit('a file of the user was imported')\n"


def call(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess:
    """Run a command in a folder, in an environment with a home and nothing else."""
    home = {"HOME": os.environ["HOME"], "PATH": os.defpath}
    return subprocess.run(
        command,
        cwd=folder,
        env=home | environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def foreign_modules(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.py").write_text(FOREIGN, encoding="utf-8")
    return folder


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_files_of_the_working_folder_are_not_imported(tmp_path, command):
    foreign_modules(tmp_path, "random", "copy", "yaml", "numpy", "argparse", "json", "tempfile")
    done = call([*command, "methods"], tmp_path)
    assert done.returncode == 0 and "sae_relu" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_modules_of_pythonpath_are_not_imported(tmp_path, command):
    modules = foreign_modules(tmp_path / "module", "yaml", "jsonschema", "numpy")
    done = call([*command, "methods"], tmp_path, PYTHONPATH=f"{modules}:")
    assert done.returncode == 0 and "sae_relu" in done.stdout, done.stdout + done.stderr


def test_what_is_started_from_here_is_isolated_too(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, "/module/lib", str(tmp_path), ""])
    monkeypatch.chdir(tmp_path)
    environment = {"PYTHONPATH": "/module/lib", "PYTHONHOME": "/module", "PYTHONHASHSEED": "1"}
    launch.isolate(environment)
    assert not {"", "/module/lib", str(tmp_path)} & set(sys.path)
    assert environment.pop("PATH").split(os.pathsep)[0] == str(PROGRAMS)
    assert environment == {
        "PYTHONPATH": str(ROOT / "workflow"),
        "PYTHONSAFEPATH": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
        "PYTHONHASHSEED": "1",
    }


@pytest.fixture
def second(tmp_path) -> Path:
    """Return another clone of the project, as far as anybody looks."""
    package = tmp_path / "second" / "workflow" / "sae_surgery"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    return tmp_path / "second"


@pytest.mark.parametrize(
    ("command", "folder"), [("module", "."), ("program", "."), ("program", "workflow")]
)
def test_another_clones_command_is_refused(second, command, folder):
    done = call([*COMMANDS[command], "methods"], second / folder)
    assert done.returncode == 2
    assert str(second) in done.stderr and str(ROOT) in done.stderr
    assert done.stderr.count("\n") == 1


def test_whoever_names_the_package_may_use_it_in_another_clone(second):
    done = call([*COMMANDS["module"], "methods"], second, PYTHONPATH=str(ROOT / "workflow"))
    assert done.returncode == 0, done.stderr


def test_caches_go_to_the_working_folder_without_a_home(tmp_path):
    program = "import os; print(os.environ['XDG_CACHE_HOME'], os.environ['MPLCONFIGDIR'])"
    start = f"from sae_surgery.machine import launch; launch.shelter_caches(); {program}"
    done = call([sys.executable, "-c", start], tmp_path, HOME="/dev/null/nobody")
    caches = tmp_path / ".cache"
    assert done.stdout.split() == [str(caches), str(caches / "matplotlib")]
    assert done.stderr.count("\n") == 1
    assert "/dev/null/nobody/.cache cannot be written to (Not a directory)" in done.stderr


def test_a_folder_that_is_none_is_not_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    environment = {}
    launch.shelter_caches(environment)
    assert environment["XDG_CACHE_HOME"] == str(tmp_path / ".cache")
    assert not list(tmp_path.iterdir())


def test_caches_stay_where_they_can_be(tmp_path):
    environment = {"XDG_CACHE_HOME": str(tmp_path / "new")}
    launch.shelter_caches(environment)
    assert environment == {"XDG_CACHE_HOME": str(tmp_path / "new")}


@pytest.fixture
def project(tmp_path) -> Path:
    """Return a folder with the Makefile and an environment whose program shows its arguments."""
    folder = tmp_path / "my pröject"
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "envs").mkdir()
    for name in ("envs/constraints.txt", "pyproject.toml"):
        (folder / name).touch()
    (programs / "python").symlink_to(sys.executable)
    (programs / "pip").write_text(f"#!{programs}/python\n", encoding="utf-8")
    for name in ("sae-surgery", "snakemake"):
        (programs / name).write_text(
            '#!/bin/sh\nfor word; do echo "[$word]"; done\n', encoding="utf-8"
        )
        (programs / name).chmod(0o755)
    (folder / ".venv" / ".ready").touch()
    return folder


def make(folder: Path, *arguments: str) -> str:
    done = call(["make", "--no-print-directory", *arguments], folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["config/my run.yaml", "it's.yaml", 'a"b.yaml', "*.yaml", "a;b"])
@pytest.mark.parametrize("goal", ["plan", "archive"])
def test_make_hands_a_configuration_on_as_it_is_called(project, goal, name):
    assert f"[{goal}]\n[{name}]\n" in make(project, goal, f"CONFIG={name}")


def test_make_hands_on_targets_without_a_shell_that_reads_them(project):
    assert "[fig_latents]\n[it's]\n[*]\n" in make(project, "figures", "TARGET=fig_latents it's *")


def test_an_environment_in_its_place_is_used(project):
    assert "made anew" not in make(project, "-n", "plan")


def test_in_a_moved_folder_the_environment_is_made_anew(project):
    moved = project.rename(project.with_name("moved"))
    assert "made anew" in make(moved, "-n", "plan")
    assert "venv --clear .venv" in make(moved, "-n", "plan")


def test_without_its_python_the_environment_is_made_anew(project):
    python = project / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/usr/lib/gone/python3")
    assert "venv --clear .venv" in make(project, "-n", "plan")


def test_without_an_environment_one_is_made(project):
    shutil.rmtree(project / ".venv")
    said = make(project, "-n", "plan")
    assert "made anew" not in said and "-m venv" in said
