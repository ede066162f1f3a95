"""What befalls files: late, misdated, foreign, unwritable; and GPUs that are fewer than jobs."""

import json
import os
import re
import resource
import subprocess
import sys
import time

import pytest

from project import CELL, Project

DAY = 86400
LATE = """
import shutil, subprocess, types
def _late(source, target):
    shutil.copy(source, held := f"{source}.held")
    subprocess.Popen(["sh", "-c", f"sleep 3; mv {held} {target}"], start_new_session=True)
os = types.SimpleNamespace(**{**vars(os), "replace": _late})
"""


def test_files_that_show_late_are_waited_for(fresh):
    fresh.append("machine/atomic.py", LATE)
    fresh.configure(methods=["raw"])
    fresh.succeed("metrics", "--latency-wait", "30")
    assert (fresh.results / f"paper/metrics/{CELL}.nc").exists()


@pytest.mark.parametrize("days", [-1, 1])
def test_misdated_files_rerun_nothing_and_stop_nothing(finished, days):
    date = time.time() + days * DAY
    os.utime(finished.results / f"data/{CELL}.nc", (date, date))
    os.utime(finished.results / f"codes/{CELL}/pca.nc", (date, date))
    assert finished.planned() == set()
    finished.configure(methods=["pca", "random_dictionary"])
    finished.succeed("metrics")
    assert "Nothing to be done" in finished.succeed("metrics")


def test_another_locale_reruns_nothing_and_writes_the_same(finished, reference):
    bare = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    finished.environment |= bare
    assert finished.planned() == set()
    for page in ("paper/comparison.html", "paper/claims.md", "paper/numbers.json"):
        (finished.results / page).unlink()
    finished.succeed()
    assert finished.differences(reference) == set()
    assert (finished.results / "paper/numbers.json").read_bytes() == (
        reference.results / "paper/numbers.json"
    ).read_bytes()


def test_results_that_lie_elsewhere_are_worked_on_through_links(finished, reference, tmp_path):
    scratch = tmp_path / "ein Platz, größer"
    scratch.mkdir()
    results = finished.results
    for number, path in enumerate(
        [results / "logs", results / f"data/{CELL}.nc", results / "paper"]
    ):
        path.rename(scratch / str(number))
        path.symlink_to(scratch / str(number))
    results.parent.rename(scratch / "results")
    results.parent.symlink_to(scratch / "results")
    assert finished.planned() == set()
    (results / "paper/tables/latents.nc").unlink()
    finished.succeed()
    assert finished.differences(reference) == set()
    assert jobs(finished) == jobs(reference)


def jobs(project: Project) -> list[str]:
    """Return the names of the jobs in the manifest."""
    manifest = json.loads((project.results / "manifest.json").read_bytes())
    return sorted(job["name"] for job in manifest["jobs"])


def test_a_file_of_another_run_is_refused_by_name(finished, tmp_path):
    other = Project(finished.folder)
    other.configure(run="other", seeds=[5, 6], methods=["pca"])
    other.succeed("models")
    foreign = finished.folder / f"results/other/codes/{CELL}/pca.nc"
    replaced = finished.results / f"codes/{CELL}/pca.nc"
    replaced.write_bytes(foreign.read_bytes())
    finished.configure()
    failed = finished.run()
    assert failed.returncode != 0
    line = f"failed: evaluate, log: results/tiny/logs/paper/evaluate/{CELL}.log"
    assert line in failed.stdout
    assert f"results/tiny/codes/{CELL}/pca.nc: stale or foreign" in failed.stdout


def full_disk() -> None:
    """Let this process write no file beyond 20 kB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_a_full_disk_leaves_nothing_behind_and_is_told_in_one_line(tmp_path):
    command = [sys.executable, "-m", "sae_surgery", "simulate", "--cell", "n100_k10_m47_s500"]
    command += ["--output", str(tmp_path / "data.nc")]
    done = subprocess.run(command, preexec_fn=full_disk, capture_output=True, encoding="utf-8")
    assert done.returncode != 0
    assert done.stderr == (
        f"sae-surgery: {tmp_path}/data.nc: cannot be written; is the disk full? "
        "(NetCDF: HDF error)\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    command = [sys.executable, "-m", "sae_surgery", "simulate", "--cell", CELL]
    done = subprocess.run(
        [*command, "--output", "/proc/data.nc"], capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 2
    assert re.fullmatch("sae-surgery: /proc/data.nc: cannot be written: .*\n", done.stderr)


def test_no_more_gpu_jobs_run_at_a_time_than_there_are_gpus(fresh):
    command = fresh.folder / "nvidia-smi"
    command.write_text("#!/bin/sh\necho 'GPU 0: a'\necho 'GPU 1: b'\n", encoding="utf-8")
    command.chmod(0o755)
    fresh.environment["PATH"] = f"{fresh.folder}:{fresh.environment['PATH']}"
    assert 'gpu=Resource("gpu", 2)' in fresh.succeed("data")
