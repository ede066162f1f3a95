"""The start of the server, by the Snakefile."""

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from sae_surgery.forks.client import VARIABLE

LONGEST_NAME = 100
"""Of a socket, in bytes; Linux allows 107."""
FEWEST_STEPS = 4
"""The start of the server takes as long as that of some steps."""

THREADS = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "GOTO", "OPENBLAS", "MKL")}
"""No thread may run while the server forks."""


def start(n_steps: int) -> subprocess.Popen | None:
    """Start a server for the steps of this run, and name it in the environment of its jobs.

    It ends when this process does, or when its standard input is closed. Steps that come while it
    loads wait for it.

    Returns
    -------
    Its process; None, and every step runs in a process of its own, if there are few of them, if the
    system is not Linux, or if the variable `SAE_SURGERY_SERVER` is set already, to nothing, say.
    """
    if n_steps < FEWEST_STEPS or VARIABLE in os.environ or not hasattr(os, "pidfd_open"):
        return None
    try:
        return _start(_private_folder() / "server")
    except OSError as error:
        os.environ.pop(VARIABLE, None)
        print(f"every step loads the libraries itself: no server starts ({error})", file=sys.stderr)
        return None


def _start(path: Path) -> subprocess.Popen:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        listener.listen(socket.SOMAXCONN)
        os.environ[VARIABLE] = str(path)
        return subprocess.Popen(
            [sys.executable, "-m", "sae_surgery.forks.server", str(listener.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
            env=os.environ | THREADS,
            # What a terminal sends to all, such as Ctrl-C, comes to the forks by their clients.
            start_new_session=True,
        )


def _private_folder() -> Path:
    """Return a new folder, this user's alone, whose name is short enough for a socket's."""
    folder = Path(tempfile.mkdtemp(prefix="sae-surgery-"))
    if len(os.fsencode(folder)) < LONGEST_NAME - len("/server"):
        return folder
    folder.rmdir()
    return Path(tempfile.mkdtemp(prefix="sae-surgery-", dir="/tmp"))
