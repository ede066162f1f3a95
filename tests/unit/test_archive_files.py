"""Archives hold files, wherever links lead to, and Snakemake's records of them."""

import os
import subprocess
import sys
import tarfile
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from sae_surgery.errors import SurgeryError
from sae_surgery.machine.atomic import write_text
from sae_surgery.record.archive import RECORDS, pack

FOLDER = Path("results/run")
MADE = [FOLDER / "data/a.nc", FOLDER / "models/b.nc", Path("paper/main.pdf")]


def record(file: Path, folder: Path = RECORDS) -> Path:
    """Write the record of a file as Snakemake does, and return where."""
    name = urlsafe_b64encode(str(file).encode()).decode()
    parts = [name[i : i + 254] for i in range(0, len(name), 254)]
    path = folder.joinpath(*(f"@{part}" for part in parts[:-1]), parts[-1])
    write_text(path, f"record of {file}")
    return path


@pytest.fixture
def records(tmp_path, monkeypatch) -> list[Path]:
    """Make a finished run in the working folder, and return the records of its files."""
    monkeypatch.chdir(tmp_path)
    for path in MADE:
        write_text(path, f"content of {path}")
    write_text(FOLDER / "logs/größer zwei.log", "log")
    return [record(path) for path in MADE]


def packed() -> dict[str, bytes]:
    """Pack the run, and return what the archive holds: only files, each once."""
    pack(FOLDER, MADE, "run: run\n", Path("run.tar.gz"))
    with tarfile.open("run.tar.gz") as archive:
        members = archive.getmembers()
        assert all(member.isreg() for member in members)
        contents = {member.name: archive.extractfile(member).read() for member in members}
        assert len(contents) == len(members)
    return contents


def content_of(records: list[Path]) -> dict[str, bytes]:
    """Return what the archive of the run must hold."""
    files = [*MADE, FOLDER / "logs/größer zwei.log", *records]
    return {str(path): path.read_bytes() for path in files} | {
        str(FOLDER / "config.yaml"): b"run: run\n"
    }


def test_an_archive_holds_files_and_records(records):
    assert packed() == content_of(records)


def test_what_links_lead_to_is_packed(records, tmp_path):
    expected, scratch = content_of(records), tmp_path / "ein Platz, größer"
    scratch.mkdir()
    for number, path in enumerate([FOLDER / "models", FOLDER / "data/a.nc", RECORDS, FOLDER]):
        path.rename(scratch / str(number))
        path.symlink_to(scratch / str(number))
    assert packed() == expected


def test_a_hard_link_is_packed_as_a_file_of_its_own(records):
    expected = content_of(records)
    os.link(MADE[0], FOLDER / "copy.nc")
    assert packed() == expected | {str(FOLDER / "copy.nc"): MADE[0].read_bytes()}


def test_links_that_lead_nowhere_or_round_are_left_out(records, capsys):
    expected = content_of(records)
    (FOLDER / "gone.nc").symlink_to("/nowhere/gone.nc")
    (FOLDER / "models/round").symlink_to("..")
    os.mkfifo(FOLDER / "pipe")
    assert packed() == expected
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        f"{FOLDER}/gone.nc",
        f"{FOLDER}/models/round",
    ]


@pytest.mark.parametrize(
    "stray",
    [
        ".nfs0000123",
        ".nfs000000000a1b2c3d00000001",
        ".DS_Store",
        "notes.txt",
        "größer",
        "AAA",
        "_-8=",
        "folder/file",
        "@folder/file",
    ],
)
def test_strays_among_the_records_are_left_out_with_a_word(stray, records, capsys):
    write_text(RECORDS / stray, "stray")
    assert packed() == content_of(records)
    assert capsys.readouterr().err == f"{RECORDS / stray}: left out, not a record of Snakemake's\n"


def test_records_of_other_runs_and_of_long_names_are_told_apart(records):
    record(Path("results/other/data/a.nc"))
    long = FOLDER / "/".join(["n" * 100] * 4)
    write_text(long, "long")
    records.append(record(long))
    assert packed() == content_of(records) | {str(long): b"long"}


def test_an_archive_where_nothing_was_recorded(records):
    for path in records:
        path.unlink()
    assert packed() == content_of([])


def test_a_file_that_cannot_be_packed_is_an_error_and_leaves_nothing(records):
    MADE[0].unlink()
    with pytest.raises(SurgeryError, match=r"run\.tar\.gz: cannot be written: .*data/a\.nc"):
        pack(FOLDER, MADE, "run: run\n", Path("run.tar.gz"))
    assert not list(Path().glob("*run*"))


FULL = """
import resource
from pathlib import Path
from sae_surgery.record.archive import pack
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
pack(Path("results/run"), [], "run: run", Path("run.tar.gz"))
"""


def test_a_full_disk_is_an_error_and_leaves_nothing(records):
    (FOLDER / "noise.nc").write_bytes(os.urandom(100_000))
    failed = subprocess.run([sys.executable, "-c", FULL], stderr=subprocess.PIPE, check=False)
    assert b"SurgeryError: run.tar.gz: cannot be written: " in failed.stderr.splitlines()[-1]
    assert not list(Path().glob("*run*"))
