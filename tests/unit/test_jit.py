"""What is compiled is kept, never outlives its source, and no state of the cache is an error."""

import hashlib
import os
import re
import resource
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sae_surgery.machine.jit import CHECKSUM_BYTES, KEPT
from sae_surgery.machine.provenance import ROOT

HELPER = "learning/kernels.py"
"""Its `add` is called by the loop of another file."""
CALL = """
import numpy as np
from sae_surgery.learning.incremental_kernels import subtract_codes

residual = np.ones((1, 2), np.float32)
one, row = np.ones(1, np.float32), np.ones((1, 2), np.float32)
subtract_codes(np.array([1]), np.array([0]), one, row, residual)
print(residual[0, 0], sum(subtract_codes.stats.cache_hits.values()))
"""
COMPILED, LOADED = "0.0 0", "0.0 1"


class Package:
    """A copy of the package, whose loops are called in processes of their own."""

    def __init__(self, folder: Path, source: Path, *ignored: str) -> None:
        self.root = folder / "source" / "sae_surgery"
        shutil.copytree(source, self.root, ignore=shutil.ignore_patterns(*ignored))
        self.home = folder / "home"
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.environment = {
            "HOME": str(self.home),
            "PATH": os.defpath,
            "PYTHONPATH": str(self.root.parent),
            "TMPDIR": str(self.temporary),
        }

    def call(self, largest_file: int = -1, **environment: str) -> tuple[str, str]:
        """Return what the loop made of 1 - 1 and whether it was loaded; and standard error.

        A file of more bytes than `largest_file`, unless that is negative, cannot be written.
        """
        done = subprocess.run(
            [sys.executable, "-c", CALL],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, -1)),
            encoding="utf-8",
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip(), done.stderr

    def edit(self, old: str, new: str) -> None:
        """Edit the helper, which keeps its size, and its date too."""
        path = self.root / HELPER
        text, dates = path.read_text(encoding="utf-8"), path.stat()
        assert text.count(old) == 1 and len(old) == len(new)
        path.write_text(text.replace(old, new), encoding="utf-8")
        os.utime(path, ns=(dates.st_atime_ns, dates.st_mtime_ns))

    def kept(self, folder: str = "") -> list[Path]:
        """Return the files of loops below a folder, by default the package's own."""
        below = Path(folder) if folder else self.root / "__pycache__"
        return sorted(path for path in below.glob("**/kernels/*/*/*") if path.is_file())

    def close(self) -> None:
        """Keep nothing in the package, and let nothing be written there, by root neither."""
        shutil.rmtree(self.root / "__pycache__")
        (self.root / "__pycache__").write_text("not a folder", encoding="utf-8")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory) -> Package:
    """Return a package whose loop has been compiled, and that no test changes."""
    package = Package(tmp_path_factory.mktemp("compiled"), ROOT, "__pycache__")
    assert package.call() == (COMPILED, "")
    return package


@pytest.fixture
def package(compiled, tmp_path) -> Package:
    """Return a copy of it, to change."""
    return Package(tmp_path, compiled.root)


def test_a_loop_is_compiled_once(package):
    assert package.call() == (LOADED, "")


def test_an_edited_helper_of_another_file_is_compiled_into_the_loop(package):
    package.edit("y[j, column] += scale", "y[j, column] -= scale")
    assert package.call()[0] == "2.0 0"
    package.edit("y[j, column] -= scale", "y[j, column] += scale")
    assert package.call()[0] == LOADED


def test_a_comment_compiles_nothing_again(package):
    with (package.root / HELPER).open("a", encoding="utf-8") as file:
        file.write("# A remark.\n")
    assert package.call()[0] == LOADED


@pytest.mark.parametrize("switch", ["NUMBA_OPT", "NUMBA_BOUNDSCHECK"])
def test_settings_of_the_compiler_have_loops_of_their_own(package, switch):
    assert package.call(**{switch: "1"})[0] == COMPILED
    assert package.call()[0] == LOADED


def test_another_processor_has_loops_of_its_own(package):
    assert package.call(NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="")[0] == COMPILED
    assert package.call()[0] == LOADED


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        lambda path: path.write_bytes(path.read_bytes()[:10]),
        lambda path: path.write_bytes(b"garbage" * 1000),
        lambda path: path.write_bytes(path.read_bytes()[:-100] + bytes(100)),
        lambda path: path.unlink(),
    ],
    ids=["emptied", "cut", "cut short", "garbage", "flipped", "removed"],
)
def test_a_damaged_file_is_made_anew(package, damage):
    before = package.kept()
    for path in before:
        damage(path)
    assert package.call() == (COMPILED, "")
    assert package.kept() == before
    for path in before:
        kept = path.read_bytes()
        assert hashlib.sha256(kept[CHECKSUM_BYTES:]).digest() == kept[:CHECKSUM_BYTES]


def test_a_folder_in_the_place_of_a_file_is_no_error(package):
    for path in package.kept():
        path.unlink()
        path.mkdir()
    result, said = package.call()
    assert result == COMPILED
    assert said.count("\n") == 1 and "cannot be written to" in said


def test_where_the_package_cannot_be_written_to_loops_go_to_the_users_cache(package):
    package.close()
    result, said = package.call()
    cache = package.home / ".cache" / "sae-surgery"
    assert result == COMPILED
    assert f"kept in {cache}" in said and said.count("\n") == 1
    assert package.kept(cache)
    assert package.call() == (LOADED, "")


def test_without_a_home_loops_go_to_a_private_temporary_folder(package):
    package.close()
    package.home.write_text("not a folder", encoding="utf-8")
    result, said = package.call()
    folder = package.temporary / f"sae-surgery-{os.getuid()}"
    assert result == COMPILED
    assert f"kept in {folder}" in said and said.count("\n") == 1
    assert folder.stat().st_mode & 0o777 == 0o700
    assert package.call() == (LOADED, "")


@pytest.mark.parametrize("foreign", ["open", "link"])
def test_a_temporary_folder_that_is_not_private_is_left_alone(package, foreign):
    package.close()
    package.home.write_text("not a folder", encoding="utf-8")
    folder = package.temporary / f"sae-surgery-{os.getuid()}"
    if foreign == "open":
        folder.mkdir()
        folder.chmod(0o777)
    else:
        (package.temporary / "elsewhere").mkdir(0o700)
        folder.symlink_to("elsewhere")
    result, said = package.call()
    assert result == COMPILED
    assert "not kept" in said and said.count("\n") == 1
    assert not package.kept(package.temporary)


def test_a_disk_that_fills_up_costs_a_line(package):
    shutil.rmtree(package.root / "__pycache__")
    result, said = package.call(largest_file=1000)
    assert result == COMPILED
    assert "not kept" in said and said.count("\n") == 1
    assert not [path for path in package.root.parents[1].rglob("*") if "+" in path.name]


def test_addresses_of_a_process_are_not_kept(package):
    text = (package.root / HELPER).read_text(encoding="utf-8")
    large = "\n\nLARGE = np.zeros(10**6)\n\n"
    used = text.replace("+= scale * x[i, column]", "+= LARGE[column] + scale * x[i, column]")
    (package.root / HELPER).write_text(
        used.replace("\n\n\n@compiled", f"{large}\n@compiled", 1), encoding="utf-8"
    )
    assert package.call() == (COMPILED, "")
    assert package.call() == (COMPILED, "")


def test_processes_at_a_time_keep_whole_files(package):
    shutil.rmtree(package.root / "__pycache__")
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: package.call()[0], range(3)))
    assert all(result.startswith("0.0") for result in results)
    assert package.call() == (LOADED, "")


def test_only_the_newest_versions_are_kept(package):
    (folder,) = {path.parent for path in package.kept() if "incremental" in str(path)}
    for number in range(KEPT):
        older = folder.with_name(f"older{number}")
        older.mkdir()
        os.utime(older, (number, number))
    package.edit("y[j, column] += scale", "y[j, column] -= scale")
    package.call()
    left = {path.name for path in folder.parent.iterdir()}
    assert len(left) == KEPT
    assert folder.name in left and "older0" not in left and "older1" not in left


def test_no_loop_is_kept_by_numbas_own_cache():
    own = re.compile(r"\bn?jit\([^)]*\bcache=")
    assert not [path for path in ROOT.rglob("*.py") if own.search(path.read_text(encoding="utf-8"))]
