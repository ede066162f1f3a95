"""What is loaded before forks are made, and how a fork becomes the process of a step."""

import atexit
import ctypes
import gc
import json
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

import torch
from numba.core.registry import cpu_target
from threadpoolctl import threadpool_limits

from sae_surgery import cli, examination, figures, methods, metrics, problems, surgeries
from sae_surgery.forks.client import REFUSED, VARIABLE
from sae_surgery.forks.source import source
from sae_surgery.machine import launch
from sae_surgery.machine.provenance import PACKAGE, source_digest

THREADS = (
    "OMP_NUM_THREADS",
    "GOTO_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""What Snakemake sets for each step, and libraries read when they are loaded: set in the fork."""
FREE = {*THREADS, VARIABLE, "TMPDIR", "TMP", "TEMP", "TEMPDIR", "PWD", "OLDPWD", "SHLVL", "_"}
"""Variables that need not be as they were when the libraries were loaded."""
DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of Linux."""


def load(is_over: Callable[[], bool]) -> None:
    """Import what steps import, and let Numba and the digests of source get ready.

    Parameters
    ----------
    is_over
        Tells, asked now and then, whether nobody waits for the libraries any more.
    """
    parts = [
        *(f"{cli.__name__.rpartition('.')[0]}.steps.{command.name}" for command in cli.COMMANDS),
        *(
            f"{package.__name__}.{name}"
            for package in (examination, figures, methods, problems, surgeries)
            for name in package.available()
        ),
        *(name for protocol in ("paper", "strict") for name in metrics.modules(protocol)),
    ]
    for module in parts:
        if is_over():
            return
        # The step that needs it says what is wrong with it.
        with suppress(Exception):
            import_module(module)
    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()
    source_digest(*(name for name in sys.modules if name.partition(".")[0] == PACKAGE))
    # What a fork's garbage collector visits is copied, page by page.
    gc.collect()
    gc.freeze()


def work(
    surroundings: Mapping[str, str], loaded: str, client: socket.socket, files: list[int]
) -> NoReturn:
    """Do, in a fork, the step that a client asks for, as a process of its own would; then end.

    Parameters
    ----------
    surroundings, loaded
        Environment and digest of the source of when the libraries were loaded. A client with
        another is refused.
    """
    server = os.getppid()
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != server:
        os._exit(1)
    with open(files[-1], "rb", closefd=False) as file:
        file.seek(0)
        request = json.loads(file.read())
    environment = request["environment"]
    reason = _why_not(environment, surroundings, loaded)
    if reason:
        client.send(f"{REFUSED} {reason}".encode())
        os._exit(0)
    _take_over(files[:3])
    for file in files:
        os.close(file)
    _end(lambda: _run(request, environment))


def _why_not(
    environment: Mapping[str, str], surroundings: Mapping[str, str], loaded: str
) -> str | None:
    """Return why a step is to load the libraries itself, or None if it need not."""
    names = (environment.keys() | surroundings.keys()) - FREE
    other = sorted(name for name in names if environment.get(name) != surroundings.get(name))
    if other:
        return f"its environment differs in {', '.join(other)}"
    threads = {environment.get(name, "") for name in THREADS}
    if len(threads) > 1 or not all(each.isdecimal() and int(each) for each in threads):
        return f"its environment does not say one number of threads: {', '.join(sorted(threads))}"
    if source() != loaded:
        return "the package or its libraries have changed since the run began"
    return None


def _take_over(files: Sequence[int]) -> None:
    """Let files be the standard ones. They are opened anew: whether one can seek is asked once."""
    for number, (file, name) in enumerate(zip(files, ("stdin", "stdout", "stderr"), strict=True)):
        os.dup2(file, number)
        old = getattr(sys, name)
        how = old.mode, 1 if name == "stderr" else -1, old.encoding, old.errors
        setattr(sys, name, os.fdopen(number, *how, closefd=False))


def _run(request: Mapping[str, Any], environment: Mapping[str, str]) -> None:
    """Run a command in its own surroundings."""
    os.chdir(request["folder"])
    os.umask(request["umask"])
    os.environ.clear()
    os.environ.update(environment)
    del os.environ[VARIABLE]
    sys.argv[1:] = request["arguments"]
    tempfile.tempdir = None
    threads = int(environment[THREADS[0]])
    threadpool_limits(threads)
    torch.set_num_threads(threads)
    launch.shelter_caches()
    cli.main(request["arguments"])


def _end(run: Callable[[], None]) -> NoReturn:
    """Run something and end as Python does, but for taking all modules apart, which takes long."""
    status, interrupted = 0, False
    try:
        run()
    except SystemExit as end:
        status = end.code or 0
        if not isinstance(status, int):
            print(status, file=sys.stderr)
            status = 1
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        status, interrupted = 1, isinstance(error, KeyboardInterrupt)
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    if interrupted:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(status & 0xFF)
