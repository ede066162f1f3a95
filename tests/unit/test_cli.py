"""The command: help that explains itself, and one line and exit code 2 for a user's mistakes."""

import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from sae_surgery import cli
from sae_surgery.steps._arguments import Argument

STEPS = [command.name for command in cli.COMMANDS]
IN_STEPS = {path.stem for path in Path(cli.__file__).parent.glob("steps/*.py")}


def run(*arguments):
    command = [sys.executable, "-m", "sae_surgery", *arguments]
    return subprocess.run(command, capture_output=True, timeout=120, encoding="utf-8")


def test_help_names_every_step():
    result = run("--help")
    assert result.returncode == 0
    assert all(step in result.stdout for step in STEPS)


@pytest.mark.parametrize("step", STEPS)
def test_every_step_explains_itself(step):
    result = run(step, "--help")
    assert result.returncode == 0
    assert len(result.stdout.split()) > 10


def test_every_module_of_a_step_has_a_command():
    parts = {name for name in IN_STEPS if not name.startswith("_")}
    assert parts == set(STEPS)


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.name)
def test_a_command_gives_its_step_what_it_takes(command):
    step = getattr(import_module(f"sae_surgery.steps.{command.name}"), command.name)
    options = [
        each
        for given in command.arguments
        for each in ([given] if isinstance(given, Argument) else given)
    ]
    names = {
        each.options.get("dest", each.flags[0].lstrip("-").replace("-", "_")) for each in options
    }
    assert names == set(inspect.signature(step).parameters)


def test_methods_are_listed():
    assert "sae_topk" in run("methods").stdout


FIT = ["fit", "--model", "m.nc", "--codes", "c.nc"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "STEP"),
        (["simulat"], "simulate"),
        (["simulate", "--cell", "n100"], "must look like n1000_k10_m93_s5000"),
        (["simulate", "--cell", "n10_k3_m12_s50", "--output", "x.nc"], "obs_dim must be at most"),
        (["simulate", "--cell", "n20_k3_m12_s50", "--seeds", "-1", "--output", "x"], "--seeds"),
        (["simulate", "--cell", "n20_k3_m12_s50"], "--output"),
        ([*FIT, "--method", "raw", "--data", "nowhere.nc"], "nowhere.nc: there is no such file"),
        ([*FIT, "--method", "sae_rleu", "--data", "x.nc"], "did you mean 'sae_relu'"),
        ([*FIT, "--method", "raw", "--data", "x", "--settings", "{epochs}"], "not valid JSON"),
        ([*FIT, "--method", "raw", "--data", "x", "--settings", "[1]"], "JSON object"),
        ([*FIT, "--method", "sae_relu", "--data", "x", "--settings", '{"epochs": 0}'], "epochs"),
        ([*FIT, "--method", "raw", "--data", "x", "--threads", "0"], "--threads"),
        ([*FIT, "--method", "raw", "--data", "x", "--device", "tpu"], "'tpu' is unknown"),
        (
            [
                "evaluate",
                "--data",
                "x",
                "--codes",
                "a",
                "--models",
                "b",
                "--output",
                "c",
                "--protocol",
                "x",
            ],
            "--protocol",
        ),
        (["draw", "latent", "--tables", "x", "--output-dir", "y"], "latents"),
    ],
)
def test_what_a_user_got_wrong_is_one_line(arguments, complaint):
    result = run(*arguments)
    assert result.returncode == 2
    assert complaint in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert "Traceback" not in result.stderr
