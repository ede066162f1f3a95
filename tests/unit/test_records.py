"""Dates and logs of files, however odd, stop no step."""

import json
import os
import time
from pathlib import Path

import pytest

from sae_surgery.machine.atomic import write_text
from sae_surgery.record import jobs, manifest
from sae_surgery.steps.report import report

FUTURE = time.time() + 86400
JOB = {
    "step": "fit",
    "inputs": [],
    "outputs": ["model"],
    "began": 0.0,
    "ended": 1.0,
    "host": "größer",
    "slurm_job": None,
    "threads": 1,
    "gpu": None,
}


@pytest.fixture
def future(tmp_path) -> Path:
    path = tmp_path / "future"
    path.touch()
    os.utime(path, (FUTURE, FUTURE))
    return path


@pytest.mark.parametrize(
    "refusal", [PermissionError(1, "Operation not permitted"), OSError(30, "Read-only file system")]
)
def test_a_date_that_cannot_be_changed_is_a_line_and_no_more(refusal, future, monkeypatch, capsys):
    def refuse(*arguments):
        raise refusal

    monkeypatch.setattr(os, "utime", refuse)
    jobs.record("fit", lambda path: None, {"path": future}, 0.0)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{future}: dated in the future, so that Snakemake may")
    assert refusal.strerror in line


def test_a_date_that_cannot_be_read_is_no_matter(tmp_path):
    jobs.date_back([tmp_path / "nowhere", Path("/proc/self/nowhere")])


def test_an_input_whose_folder_is_closed_is_left_to_the_step(future, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "stat", refuse)
    ran = []
    jobs.record("fit", lambda path: ran.append(path), {"path": future}, 0.0)
    assert ran == [future]


@pytest.mark.parametrize(
    "ending", ["", "\n", "job", "job: ", "job: {", "job: {}\nkilled", "\udcff\udcfe"]
)
def test_a_log_without_a_whole_record_has_none(ending, tmp_path):
    log = tmp_path / "a.log"
    log.write_bytes(f"something\n{ending}".encode(errors="surrogateescape"))
    assert jobs.of_log(log) is None


def test_a_record_is_found_behind_bytes_that_are_no_text(tmp_path):
    log = tmp_path / "a.log"
    log.write_bytes(b"gr\xf6\xdfer\r 50%\x85\n" + f"job: {json.dumps(JOB)}\n".encode())
    assert jobs.of_log(log) == JOB
    assert jobs.tells_of_success(str(log))
    assert not jobs.tells_of_success(str(tmp_path / "nowhere.log"))


def test_records_of_another_form_are_left_out_with_a_word(tmp_path, capsys):
    lacking = {key: value for key, value in JOB.items() if key != "outputs"}
    for name, job in (
        ("good", JOB),
        ("lacking", lacking),
        ("more", JOB | {"new": 1}),
        ("list", [1]),
    ):
        write_text(tmp_path / f"{name}.log", f"job: {json.dumps(job)}\n")
    assert [job.name for job in manifest.read_jobs(tmp_path)] == ["good"]
    lines = capsys.readouterr().err.splitlines()
    assert [Path(line.partition(":")[0]).stem for line in lines] == ["lacking", "list", "more"]


def test_logs_are_read_through_links(tmp_path):
    write_text(tmp_path / "scratch/cell/größer.log", f"job: {json.dumps(JOB)}\n")
    (tmp_path / "run/logs").mkdir(parents=True)
    (tmp_path / "run/logs/fit").symlink_to(tmp_path / "scratch")
    assert [job.name for job in manifest.read_jobs(tmp_path / "run/logs")] == ["fit/cell/größer"]


def test_a_step_that_nobody_gave_a_colour_is_drawn(tmp_path):
    for name, step in (("a", "fit"), ("b", "polish"), ("c", "amend")):
        write_text(tmp_path / f"logs/{name}.log", f"job: {json.dumps(JOB | {'step': step})}\n")
    report(tmp_path, {})
    assert (tmp_path / "timeline.pdf").stat().st_size > 0
    assert json.loads((tmp_path / "manifest.json").read_bytes())["seconds"].keys() == {
        "fit",
        "polish",
        "amend",
    }
