"""GPUs of a workstation: each process has one of its own, whatever becomes of the others."""

import subprocess
import sys
from pathlib import Path

import pytest

from sae_surgery import gpus

HOLD = """
import sys
from pathlib import Path
from sae_surgery import gpus
print(gpus.claim(sys.argv[2:], Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


class Holder:
    """Another process that claims a GPU and keeps it until it is ended."""

    def __init__(self, folder: Path, *names: str) -> None:
        command = [sys.executable, "-c", HOLD, str(folder), *names]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(command, **pipes, encoding="utf-8")

    def claimed(self) -> int:
        return int(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def hold(tmp_path):
    holders = []

    def start(*names: str) -> Holder:
        holders.append(Holder(tmp_path, *names))
        return holders[-1]

    yield start
    for holder in holders:
        holder.kill()


def test_no_two_processes_have_the_same(hold):
    names = ["one", "two", "three"]
    assert {hold(*names).claimed() for _ in names} == {0, 1, 2}


def test_the_order_of_the_names_does_not_matter(hold):
    assert hold("one", "two").claimed() == 0
    assert hold("one", "two").claimed() == 1
    assert hold("two", "one", "three").claimed() == 2


def test_a_process_waits_until_one_is_free_and_a_killed_one_frees_its_own(hold):
    first = hold("only")
    assert first.claimed() == 0
    second = hold("only")
    assert second.process.stderr.readline() == "waiting for one of 1 GPUs\n"
    first.kill()
    assert second.claimed() == 0


def test_they_are_counted_as_the_driver_lists_them(tmp_path):
    listed = "GPU 0: H200 (UUID: GPU-1)\n  MIG 1g.18gb Device 0: (UUID: MIG-1)\nGPU 1: H200\n"
    command = tmp_path / "nvidia-smi"
    command.write_text(f"#!/bin/sh\ncat <<'END'\n{listed}END\n", encoding="utf-8")
    command.chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"
    assert gpus.count({"PATH": path}) == 2
    assert gpus.count({"PATH": path, "CUDA_VISIBLE_DEVICES": "3"}) == 1
    assert gpus.count({"PATH": path, "CUDA_VISIBLE_DEVICES": ""}) == 0


def test_without_a_driver_there_are_none(tmp_path):
    assert gpus.count({"PATH": str(tmp_path)}) == 0


def test_a_scheduler_is_trusted():
    assert gpus.given_by_scheduler({"SLURM_JOB_ID": "14"})
    assert not gpus.given_by_scheduler({})
