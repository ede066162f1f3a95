"""Results are read and written where files cannot be locked, and where others have locked them."""

import errno
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

REFUSE_LOCKS = """
import ctypes, platform, struct, sys

def refuse_locks(number):
    # A filter on system calls: flock returns an error, all others pass.
    flock = {"x86_64": 73, "aarch64": 32}[platform.machine()]
    load, jump_if_equal, give_back = 0x20, 0x15, 0x06
    steps = [
        (load, 0, 0, 0),
        (jump_if_equal, 0, 1, flock),
        (give_back, 0, 0, 0x00050000 | number),
        (give_back, 0, 0, 0x7FFF0000),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HL", len(steps), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, seccomp, filtered = 38, 22, 2
    assert libc.prctl(no_new_privileges, 1, 0, 0, 0) == 0
    assert libc.prctl(seccomp, filtered, program, 0, 0) == 0, ctypes.get_errno()

refuse_locks(int(sys.argv[1]))
"""
WRITE_AND_READ = """
import numpy as np
from pathlib import Path
from sae_surgery.files import store

path = Path("model.nc")
weights = store.Variable(("obs",), np.arange(3.0), "weights of a test")
store.write(path, "model", {"weights": weights}.items(), store.Origin("A test"))
print(store.read(path, "model")["weights"].values.tolist())
"""
READ = """
from pathlib import Path
from sae_surgery.files import store
print(store.read(Path("model.nc"), "model")["weights"].values.tolist())
"""
HOLD = """
import netCDF4, sys
file = netCDF4.Dataset("model.nc", "a")
print("held", flush=True)
sys.stdin.read()
"""
VALUES = "[0.0, 1.0, 2.0]\n"
REFUSALS = [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS]


def run(program: str, folder: Path, *arguments: object, locking: str | None = None) -> str:
    """Return what a program prints, or the last line of its error."""
    environment = {k: v for k, v in os.environ.items() if k != "HDF5_USE_FILE_LOCKING"}
    if locking:
        environment["HDF5_USE_FILE_LOCKING"] = locking
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, encoding="utf-8"
    )
    return done.stdout or done.stderr.splitlines()[-1]


@contextmanager
def held(folder: Path):
    """Have another process keep the file open for appending, with HDF5's lock on it."""
    environment = os.environ | {"HDF5_USE_FILE_LOCKING": "TRUE"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    command = [sys.executable, "-c", HOLD]
    with subprocess.Popen(command, cwd=folder, env=environment, **pipes) as holder:
        assert holder.stdout.readline() == b"held\n"
        yield
        holder.stdin.close()


@pytest.fixture
def written(tmp_path) -> Path:
    assert run(WRITE_AND_READ, tmp_path) == VALUES
    return tmp_path


@pytest.mark.parametrize("number", REFUSALS, ids=os.strerror)
def test_results_are_written_and_read_where_locks_are_refused(number, tmp_path):
    assert run(REFUSE_LOCKS + WRITE_AND_READ, tmp_path, number) == VALUES
    assert os.listdir(tmp_path) == ["model.nc"]


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP], ids=os.strerror)
def test_who_asks_for_locks_that_are_refused_reads_so(number, written):
    words = f"its file system refuses locks ({os.strerror(number)}); HDF5_USE_FILE_LOCKING=FALSE"
    line = run(REFUSE_LOCKS + WRITE_AND_READ, written, number, locking="TRUE")
    assert f"model.nc: cannot be written: {words}" in line
    line = run(REFUSE_LOCKS + READ, written, number, locking="TRUE")
    assert f"model.nc: cannot be read: {words}" in line
    assert os.listdir(written) == ["model.nc"]


def test_a_file_that_another_program_has_open_is_read(written):
    with held(written):
        assert run(READ, written) == VALUES


@pytest.mark.parametrize("before", ["", "import netCDF4\n"])
def test_a_locked_file_is_not_taken_for_a_damaged_one(before, written):
    with held(written):
        line = run(before + READ, written, locking="TRUE")
    assert "model.nc: cannot be read: locked: another program has it open for writing" in line


def test_a_library_that_was_loaded_with_locks_says_that_a_file_is_locked(written):
    with held(written):
        line = run("import netCDF4\n" + READ, written)
    assert "model.nc: cannot be read: locked: " in line


def test_a_damaged_file_is_not_taken_for_a_locked_one(written):
    path = written / "model.nc"
    path.write_bytes(path.read_bytes()[:1000])
    for locking in (None, "TRUE", "FALSE"):
        line = run(READ, written, locking=locking)
        assert "model.nc: not a readable result file, truncated perhaps" in line


def test_a_damaged_file_is_not_taken_for_a_locked_one_where_locks_are_refused(written):
    path = written / "model.nc"
    path.write_bytes(path.read_bytes()[:1000])
    assert "truncated perhaps" in run(REFUSE_LOCKS + READ, written, errno.ENOLCK)
