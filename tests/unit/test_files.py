"""A file is replaced as a whole, or left as it was with nothing beside it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sae_surgery.errors import SurgeryError
from sae_surgery.machine.atomic import read_text, replacing, walk, write_text


def test_text_replaces_what_was_there(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("old", encoding="utf-8")
    write_text(path, "new")
    assert path.read_text(encoding="utf-8") == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(SurgeryError, match=r"page\.md: .*disk full"), replacing(path) as temporary:
        temporary.write_text("half of the n", encoding="utf-8")
        raise OSError("disk full")
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_share_a_temporary_name(tmp_path):
    path = tmp_path / "figure.pdf"
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        assert first.suffix == second.suffix == ".pdf"
        first.write_text("first", encoding="utf-8")
        second.write_text("second", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == "first"
    assert list(tmp_path.iterdir()) == [path]


KILLED = """
import os, signal, sys
from pathlib import Path
from sae_surgery.machine.atomic import replacing
with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_text("half of the n")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_goes_with_the_next_and_not_what_a_living_one_writes(tmp_path):
    path = tmp_path / "page.md"
    subprocess.run([sys.executable, "-c", KILLED, str(path)])
    (left,) = tmp_path.iterdir()
    with replacing(path) as living:
        living.write_text("new", encoding="utf-8")
        write_text(path, "newer")
        assert not left.exists()
        assert living.exists()
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_writer_elsewhere_left_goes_when_it_is_old(tmp_path):
    path = tmp_path / "page.md"
    fresh, old = (tmp_path / f".page+elsewhere+1+{token}.md" for token in ("a" * 8, "b" * 8))
    fresh.touch()
    old.touch()
    os.utime(old, (0, 0))
    write_text(path, "new")
    assert fresh.exists()
    assert not old.exists()


STRAYS = (
    ".page+backup.md",
    ".page+.md",
    ".page+a+b.md",
    ".page+a+b+c+d+e.md",
    ".page+elsewhere+1+notahexa.md",
    ".page+elsewhere+one+0123abcd.md",
    ".page+elsewhere+1+0123abcd.md.bak",
    ".other+elsewhere+1+0123abcd.md",
    "page+elsewhere+1+0123abcd.md",
)


@pytest.mark.parametrize("name", STRAYS)
def test_files_of_others_beside_it_are_left_alone(tmp_path, name):
    stray = tmp_path / name
    stray.touch()
    os.utime(stray, (0, 0))
    write_text(tmp_path / "page.md", "new")
    assert stray.exists()


@pytest.mark.parametrize("name", ["page.md", "p[a]ge*.md", "a b+c.md", "zwei\nZeilen", "größer.x"])
@pytest.mark.parametrize("host", ["elsewhere", "a-node.some.cluster"])
def test_what_was_left_is_found_whatever_the_names(tmp_path, name, host):
    path = tmp_path / name
    left = path.with_name(f".{path.stem}+{host}+1+0123abcd{path.suffix}")
    left.touch()
    os.utime(left, (0, 0))
    write_text(path, "new")
    assert list(tmp_path.iterdir()) == [path]


def test_the_folder_is_made(tmp_path):
    write_text(tmp_path / "a folder/of größe/page.md", "new")
    assert read_text(tmp_path / "a folder/of größe/page.md") == "new"


def test_a_folder_that_cannot_be_made_is_named():
    with pytest.raises(SurgeryError, match=r"^/proc/folder/page\.md: cannot be written: "):
        write_text(Path("/proc/folder/page.md"), "new")


def test_a_full_disk_is_named(tmp_path):
    path, full = tmp_path / "page.md", Path("/dev/full")
    with pytest.raises(SurgeryError, match=r"page\.md: .*No space left"), replacing(path):
        full.write_text("new", encoding="utf-8")
    assert list(tmp_path.iterdir()) == []


def test_text_that_is_not_utf8_is_refused_by_name(tmp_path):
    path = tmp_path / "latin.md"
    path.write_bytes("größer".encode("latin-1"))
    with pytest.raises(SurgeryError, match=r"latin\.md: cannot be read: 'utf-8' codec"):
        read_text(path)


def test_an_absent_text_is_named(tmp_path):
    with pytest.raises(SurgeryError, match=r"nowhere\.md: cannot be read: .*No such file"):
        read_text(tmp_path / "nowhere.md")


def test_what_is_no_character_is_escaped(tmp_path):
    write_text(tmp_path / "page.md", "gr\udcf6\udcdfer")
    assert read_text(tmp_path / "page.md") == r"gr\udcf6\udcdfer"


def names(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in walk(folder)]


def test_files_are_found_through_links(tmp_path):
    scratch, folder = tmp_path / "scratch", tmp_path / "run"
    for path in (scratch / "data/a.nc", scratch / "data/größer zwei.nc", folder / "logs/a.log"):
        write_text(path, "")
    (folder / "data").symlink_to("../scratch/data")
    (folder / "again").symlink_to(scratch / "data", target_is_directory=True)
    (folder / "one.nc").symlink_to(scratch / "data/a.nc")
    (tmp_path / "link").symlink_to(folder)
    found = ["again/a.nc", "again/größer zwei.nc", "data/a.nc", "data/größer zwei.nc"]
    assert names(folder) == [*found, "logs/a.log", "one.nc"]
    assert names(tmp_path / "link") == names(folder)


def test_links_that_lead_nowhere_or_round_are_left_out_with_a_word(tmp_path, capsys):
    write_text(tmp_path / "run/logs/a.log", "")
    for name, target in (("gone", "/nowhere"), ("self", "self"), ("round", "..")):
        (tmp_path / "run/logs" / name).symlink_to(target)
    assert names(tmp_path) == ["run/logs/a.log"]
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[0].rpartition("/")[2] for line in lines] == [
        "gone",
        "round",
        "self",
    ]
    assert all("left out, a link" in line for line in lines)


def test_where_there_is_no_folder_there_are_no_files(tmp_path):
    assert names(tmp_path / "nowhere") == []
