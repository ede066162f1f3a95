"""GPUs of a workstation: each process has one of its own, whatever becomes of the others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sae_surgery.errors import SurgeryError
from sae_surgery.machine import gpus

HOLD = """
import sys
from pathlib import Path
from sae_surgery.machine import gpus
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


def test_a_scheduler_is_trusted():
    assert gpus.given_by_scheduler({"SLURM_JOB_ID": "14"})
    assert not gpus.given_by_scheduler({})


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_the_folder_of_locks_is_private(tmp_path, mask):
    before = os.umask(mask)
    try:
        assert gpus.claim(["one"], tmp_path / "new") == 0
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "new/one.lock").stat().st_mode & 0o077 == 0


def test_a_folder_that_others_can_write_to_is_made_private(tmp_path):
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    assert gpus.claim(["one"], folder) == 0
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_link_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "locks").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SurgeryError, match=r"locks: .* a link, which is not followed; remove it"):
        gpus.claim(["one"], tmp_path / "locks")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_link_in_place_of_a_lock_is_refused_and_empties_no_file(tmp_path):
    (tmp_path / "letter").write_text("dear", encoding="utf-8")
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks/one.lock").symlink_to(tmp_path / "letter")
    with pytest.raises(SurgeryError, match=r"one.lock: .* a link, which is not followed"):
        gpus.claim(["one"], tmp_path / "locks")
    assert (tmp_path / "letter").read_text(encoding="utf-8") == "dear"


def test_a_file_in_place_of_a_lock_keeps_what_it_holds(tmp_path):
    (tmp_path / "one.lock").write_text("dear", encoding="utf-8")
    assert gpus.claim(["one"], tmp_path) == 0
    assert (tmp_path / "one.lock").read_text(encoding="utf-8") == "dear"


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "locks").write_text("", encoding="utf-8")
    with pytest.raises(SurgeryError, match="locks: locks of GPUs cannot lie here"):
        gpus.claim(["one"], tmp_path / "locks")


def test_the_folder_of_another_user_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: os.stat(tmp_path).st_uid + 1)
    with pytest.raises(SurgeryError, match="belongs to another user"):
        gpus.claim(["one"], tmp_path)
