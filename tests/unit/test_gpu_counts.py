"""GPUs are counted as CUDA counts them, and a driver that fails stops nothing."""

import os
import time
from pathlib import Path

import pytest

from sae_surgery.machine import gpus

LISTED = """\
GPU 0: NVIDIA H200 (UUID: GPU-aaaa-1)
  MIG 1g.18gb     Device  0: (UUID: MIG-cccc)
  MIG 1g.18gb     Device  1: (UUID: MIG-dddd)
GPU 1: NVIDIA H200 (UUID: GPU-abbb-2)
"""


@pytest.fixture
def driver(tmp_path):
    """Return a function that makes a `nvidia-smi`, and returns an environment that finds it."""

    def make(script: str) -> dict[str, str]:
        command = tmp_path / "nvidia-smi"
        command.write_text(script, encoding="utf-8")
        command.chmod(0o755)
        return {"PATH": f"{tmp_path}:/usr/bin:/bin"}

    return make


@pytest.mark.parametrize(
    ("chosen", "count"),
    [
        (None, 2),
        ("0", 1),
        ("0,1", 2),
        (" 1, 0", 2),
        ("", 0),
        ("-1", 0),
        ("NoDevFiles", 0),
        ("none", 0),
        ("void", 0),
        ("0,-1,1", 1),
        ("-1,0", 0),
        ("0,,1", 1),
        ("0,none,1", 1),
        ("2", 0),
        ("0,2,1", 1),
        ("1,1", 0),
        ("GPU-aaaa-1", 1),
        ("GPU-aaaa-1,GPU-abbb-2", 2),
        ("GPU-ab,GPU-aa", 2),
        ("GPU-a", 0),
        ("GPU-aaaa-1,GPU-none,GPU-abbb-2", 1),
        ("GPU-aaaa-1,1", 1),
        ("GPU-aaaa-1,GPU-aaaa-1", 0),
        ("MIG-cccc", 1),
        ("MIG-cccc,MIG-dddd", 1),
        ("MIG-none", 0),
    ],
)
def test_the_choice_of_gpus_is_read_as_cuda_reads_it(driver, chosen, count):
    environment = driver(f"#!/bin/sh\ncat <<'END'\n{LISTED}END\n")
    if chosen is not None:
        environment["CUDA_VISIBLE_DEVICES"] = chosen
    assert gpus.count(environment) == count


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("#!/bin/sh\necho NVIDIA-SMI has failed\nexit 9\n", "it ends with status 9"),
        ("#!/bin/sh\necho No devices were found\n", "it lists no GPU"),
        ("#!/bin/sh\nhead -c 1000 /dev/urandom\n", "it lists no GPU"),
        ("#!/nowhere/sh\n", "No such file or directory"),
        ("\0\1\2", "Exec format error"),
    ],
)
def test_a_driver_that_fails_is_no_gpu_and_a_line_of_warning(driver, script, reason, capsys):
    assert gpus.count(driver(script)) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: no GPU is used, for ")
    assert reason in line


@pytest.mark.parametrize("script", ["sleep 1000", "trap '' TERM; sleep 1000 & wait"])
def test_a_driver_that_hangs_is_given_up(driver, script, monkeypatch, capsys):
    monkeypatch.setattr(gpus, "SECONDS_TO_LIST", 0.5)
    began = time.monotonic()
    assert gpus.count(driver(f"#!/bin/sh\necho 'GPU 0: x'\n{script}\n")) == 0
    assert time.monotonic() - began < 5
    assert "no answer in" in capsys.readouterr().err


def test_what_is_no_command_is_no_driver(tmp_path, capsys):
    (tmp_path / "nvidia-smi").mkdir()
    assert gpus.count({"PATH": str(tmp_path)}) == 0
    (tmp_path / "nvidia-smi").rmdir()
    Path(tmp_path / "nvidia-smi").write_text("not executable", encoding="utf-8")
    os.chmod(tmp_path / "nvidia-smi", 0o644)
    assert gpus.count({"PATH": str(tmp_path)}) == 0
    assert gpus.count({"PATH": "/nowhere"}) == 0
