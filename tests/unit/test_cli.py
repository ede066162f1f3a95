"""The command: help that explains itself, and one line and exit code 2 for a user's mistakes."""

import subprocess
import sys

import pytest

STEPS = [
    "simulate",
    "renew",
    "fit",
    "encode",
    "operate",
    "evaluate",
    "assess",
    "audit",
    "tabulate",
    "draw",
    "verdict",
    "compare",
    "claims",
    "numbers",
    "typeset",
    "plan",
    "report",
    "archive",
    "examine",
    "sample",
    "load",
    "learn",
    "ask",
    "present",
    "methods",
]


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
