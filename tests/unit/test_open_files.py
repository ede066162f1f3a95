"""Files that several readers of one process have open: they share a handle, and nothing else."""

import gc
import os
import subprocess
import sys

import numpy as np
import pytest
import xarray

from sae_surgery import store
from sae_surgery.data import CellData
from sae_surgery.errors import SurgeryError
from sae_surgery.problem import Cell
from sae_surgery.steps.simulate import simulate
from sae_surgery.store import Origin, Variable

TEXT = np.array(["train", "val", "größer"])


def write(path, values):
    variables = {
        "status": Variable(("method",), TEXT, "status", None),
        "score": Variable(("method",), np.asarray(values, np.float64), "score"),
    }
    store.write(path, "metrics", variables.items(), Origin("a table"))
    return path


READERS = """
import sys
from pathlib import Path
from sae_surgery import store

data, metrics = map(Path, sys.argv[1:])
held = store.read(data, "data")
for _ in range(30):
    other = store.read(metrics, "metrics")
    store.read(data, "data")
"""


def test_a_file_with_text_is_read_again_and_again_beside_another(tmp_path):
    data, metrics = tmp_path / "data.nc", write(tmp_path / "metrics.nc", [1, 2, 3])
    simulate(Cell.parse("n20_k3_m12_s150"), [0, 1, 2], data)
    # In a process of its own: what was wrong here crashed some.
    done = subprocess.run(
        [sys.executable, "-c", READERS, data, metrics], capture_output=True, encoding="utf-8"
    )
    assert (done.returncode, done.stderr) == (0, "")


def descriptors(path) -> int:
    """Return how often this process has a file open."""
    found = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))
    return sum(os.path.exists(each) and os.path.samefile(each, path) for each in found)


def test_all_paths_of_a_file_are_opened_once_and_closed_with_the_last_reader(tmp_path):
    path = write(tmp_path / "a.nc", [1, 2, 3])
    link, hard = tmp_path / "link.nc", tmp_path / "hard.nc"
    link.symlink_to(path)
    hard.hardlink_to(path)
    readers = [store.read(each, "metrics") for each in (path, link, hard)]
    assert descriptors(path) == 1
    readers.pop(0).close()
    for reader in readers:
        np.testing.assert_array_equal(reader["score"].values, [1, 2, 3])
    readers.clear()
    del reader
    gc.collect()
    assert descriptors(path) == 0


def test_who_has_opened_a_file_before_it_was_replaced_goes_on_with_the_old_one(tmp_path):
    path = write(tmp_path / "a.nc", [1, 2, 3])
    first, second = store.read(path, "metrics"), store.read(path, "metrics")
    write(path, [4, 5, 6])
    second.close()
    np.testing.assert_array_equal(store.read(path, "metrics")["score"].values, [4, 5, 6])
    np.testing.assert_array_equal(first["score"].values, [1, 2, 3])


def test_what_was_closed_to_save_handles_is_not_taken_for_what_replaced_it(tmp_path):
    paths = [write(tmp_path / f"{number}.nc", [number] * 3) for number in range(3)]
    with xarray.set_options(file_cache_maxsize=1):
        held = [store.read(path, "metrics") for path in paths]
        np.testing.assert_array_equal(held[1]["score"].values, [1, 1, 1])
        write(paths[0], [7, 8, 9])
        with pytest.raises(SurgeryError, match=r"0\.nc: was replaced by another file"):
            held[0]["score"].load()


def test_a_damaged_file_is_not_left_open(tmp_path):
    path = write(tmp_path / "a.nc", [1, 2, 3])
    with pytest.raises(SurgeryError, match="holds metrics, but a data file is needed"):
        CellData(path)
    assert descriptors(path) == 0
