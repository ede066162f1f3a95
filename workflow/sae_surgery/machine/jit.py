"""The decorator of every compiled loop: Numba's `njit`, whose results are kept in files.

Numba's own cache asks only whether the file that holds a function has changed. A helper of another
file is compiled into the loops that call it, which would stay as they were when it is edited. Here
what is compiled is kept by a digest of all that decides it: the source of the function's module and
of all that this imports, the versions of what compiles, the processor, and the types of arguments.
A file is written whole under its final name and carries its checksum, so that one that was cut off,
or two writers at a time, cost no more than compiling once more.
"""

import hashlib
import json
import os
import pickle
import platform
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import config
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from sae_surgery.machine.provenance import ROOT, source_digest

COMPILERS = ("llvmlite", "numba", "numpy")
SWITCHES = (
    "BOUNDSCHECK",
    "DEBUGINFO_DEFAULT",
    "LOOP_VECTORIZE",
    "OPT",
    "SLP_VECTORIZE",
    "USING_SVML",
)
"""Numba's settings that decide what is compiled, as environment variables set them."""

KEPT = 4
"""Versions of a module whose loops are kept, so that going back to one compiles nothing."""

CHECKSUM_BYTES = 32


def jit(**options: Any) -> Callable[[Callable], Callable]:
    """Return a decorator like `numba.njit(**options)` that keeps what it compiles in files."""

    def decorate(function: Callable) -> Callable:
        dispatcher = njit(**options)(function)
        dispatcher._cache = _Kept(function)
        return dispatcher

    return decorate


class _Kept(NullCache):
    """The cache of one function, in the place of Numba's."""

    def __init__(self, function: Callable) -> None:
        # Now, not when it is first called: by then the source may be another than what was loaded.
        self._folder = Path("kernels", function.__module__, _decides(function.__module__))
        self._name = function.__qualname__

    def load_overload(self, sig: Any, target_context: Any) -> CompileResult | None:
        """Return what was compiled for these types of arguments, None if nothing usable is kept."""
        target_context.refresh()  # else it lacks what loaded code calls
        path = self._path(sig, target_context)
        for folder in _folders():
            with suppress(OSError):
                kept = (folder / path).read_bytes()
                checksum, content = kept[:CHECKSUM_BYTES], kept[CHECKSUM_BYTES:]
                if checksum == hashlib.sha256(content).digest():
                    return CompileResult._rebuild(target_context, *pickle.loads(content))
        return None

    def save_overload(self, sig: Any, data: CompileResult) -> None:
        """Keep what was compiled, in the first folder that can be written to."""
        # An address of this process, of a large array say, is compiled into it.
        if data.library.has_dynamic_globals:
            return
        path = self._path(sig, data.target_context)
        content = dumps(data._reduce())
        kept = hashlib.sha256(content).digest() + content
        refused = []
        for folder in _folders():
            try:
                _write(folder / path, kept)
            except OSError as error:
                refused.append(f"{folder} ({error.strerror})")
            else:
                break
        else:
            folder = None
        if refused:
            _say_once(f"{' and '.join(refused)} cannot be written to", folder)

    def _path(self, sig: Any, target_context: Any) -> Path:
        processor = target_context.codegen().magic_tuple()
        types = hashlib.sha256(repr((sig, processor)).encode()).hexdigest()
        return self._folder / f"{self._name}-{types[:32]}"


@cache
def _decides(module: str) -> str:
    """Return a digest of what decides how the functions of a module are compiled."""
    versions = {name: version(name) for name in COMPILERS} | {"python": platform.python_version()}
    switches = {name: str(getattr(config, name)) for name in SWITCHES}
    text = json.dumps([source_digest(module), versions, switches], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _folders() -> Iterator[Path]:
    """Yield the folders to look in and to write to: the first that lets itself be written to."""
    if config.CACHE_DIR:
        yield Path(config.CACHE_DIR)
    yield ROOT / "__pycache__"
    with suppress(RuntimeError):  # nobody's home
        yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sae-surgery"
    with suppress(OSError):
        yield _private_folder()


def _private_folder() -> Path:
    """Return a folder for temporary files, made if need be, that nobody else can write to.

    Raises
    ------
    OSError
        If there is none, or another user was faster.
    """
    folder = Path(tempfile.gettempdir(), f"sae-surgery-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise PermissionError(f"{folder} is not this user's alone")
    return folder


def _write(path: Path, content: bytes) -> None:
    new = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}+{secrets.token_hex(8)}")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink()
    if new:
        _sweep(path.parent.parent)


def _sweep(folder: Path) -> None:
    """Remove all versions of a module's loops but the newest; who still needs one compiles it."""
    with suppress(OSError):
        versions = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)
        for old in versions[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)


@cache
def _say_once(reason: str, folder: Path | None) -> None:
    where = f"kept in {folder}" if folder else "not kept"
    print(f"compiled loops are {where}, for {reason}", file=sys.stderr)
