"""A file is replaced as a whole, or left as it was with nothing beside it."""

import os
import subprocess
import sys

import pytest

from sae_surgery.errors import SurgeryError
from sae_surgery.files import replacing, write_text


def test_text_replaces_what_was_there(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("old")
    write_text(path, "new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("old")
    with pytest.raises(SurgeryError, match=r"page\.md: .*disk full"), replacing(path) as temporary:
        temporary.write_text("half of the n")
        raise OSError("disk full")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_share_a_temporary_name(tmp_path):
    path = tmp_path / "figure.pdf"
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        assert first.suffix == second.suffix == ".pdf"
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


KILLED = """
import os, signal, sys
from pathlib import Path
from sae_surgery.files import replacing
with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_text("half of the n")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_goes_with_the_next_and_not_what_a_living_one_writes(tmp_path):
    path = tmp_path / "page.md"
    subprocess.run([sys.executable, "-c", KILLED, str(path)])
    (left,) = tmp_path.iterdir()
    with replacing(path) as living:
        living.write_text("new")
        write_text(path, "newer")
        assert not left.exists()
        assert living.exists()
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_writer_elsewhere_left_goes_when_it_is_old(tmp_path):
    path = tmp_path / "page.md"
    fresh, old = (tmp_path / f".page+elsewhere+1+{token}.md" for token in ("a", "b"))
    fresh.touch()
    old.touch()
    os.utime(old, (0, 0))
    write_text(path, "new")
    assert fresh.exists()
    assert not old.exists()
