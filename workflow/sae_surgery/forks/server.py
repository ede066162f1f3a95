"""`python -m sae_surgery.forks.server SOCKET`: load the libraries once, and fork for each step.

Standard input is a pipe whose other end the run holds: at its end of file, the server ends. Nothing
is computed here, no thread is started and no GPU looked for; all of that is up to the forks.
"""

import errno
import os
import select
import shutil
import signal
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

from sae_surgery.forks import processes
from sae_surgery.forks.client import ENDED, REFUSED, VARIABLE
from sae_surgery.forks.source import source
from sae_surgery.machine import launch

CREDENTIALS = struct.Struct("3i")
"""Process, user and group of who has connected, as Linux tells them."""
N_FILES = 4
"""Of a request: the three standard files, and that with all else."""

Work = Callable[[socket.socket, list[int]], None]


def main() -> None:
    """Serve until the run has ended."""
    launch.isolate()
    surroundings = dict(os.environ)
    launch.shelter_caches()
    lifeline = sys.stdin.fileno()
    with socket.socket(fileno=int(sys.argv[1])) as listener:
        try:
            loaded = source()
            # Not before: what is edited from now on differs from it.
            from sae_surgery.forks import fork

            fork.load(lambda: _has_ended(lifeline))
            Server(listener, lifeline, partial(fork.work, surroundings, loaded)).serve()
        finally:
            shutil.rmtree(Path(surroundings[VARIABLE]).parent, ignore_errors=True)
    # Taking all that apart, which nobody needs any more, takes long.
    os._exit(0)


def _has_ended(lifeline: int) -> bool:
    return bool(select.select([lifeline], [], [], 0)[0])


@dataclass(frozen=True)
class _Fork:
    """A process that does a step."""

    process: int
    handle: int
    """Its file descriptor, which becomes readable when it ends."""
    client: socket.socket
    client_process: int

    def kill(self, number: int) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.handle, number)


class Server:
    """What forks, passes signals on to the forks, and tells clients how they ended."""

    def __init__(self, listener: socket.socket, lifeline: int, work: Work) -> None:
        """Take the clients' socket, a pipe that ends with the run, and what forks do."""
        self._listener, self._lifeline, self._work = listener, lifeline, work
        self._folder = Path(listener.getsockname()).parent
        self._poll = select.poll()
        self._clients: dict[int, socket.socket] = {}
        """By file descriptor."""
        self._forks: dict[int, _Fork] = {}
        """By handle."""

    def serve(self) -> None:
        """Serve until the run has ended, and the last step with it."""
        self._poll.register(self._listener, select.POLLIN)
        self._poll.register(self._lifeline, select.POLLIN)
        serving = True
        while serving or self._forks:
            for file, _ in self._poll.poll():
                if file == self._lifeline:
                    self._poll.unregister(self._lifeline)
                    self._poll.unregister(self._listener)
                    self._listener.close()
                    serving = False
                elif serving and file == self._listener.fileno():
                    client, _ = self._listener.accept()
                    self._clients[client.fileno()] = client
                    self._poll.register(client, select.POLLIN)
                elif file in self._clients:
                    self._hear(self._clients[file])
                elif file in self._forks:
                    self._reap(self._forks[file])

    def _hear(self, client: socket.socket) -> None:
        """Begin a step, or pass on what its client says: signals, or nothing any more."""
        try:
            said, files, *_ = socket.recv_fds(client, 1, N_FILES)
        except OSError:
            said, files = b"", []
        fork = next((each for each in self._forks.values() if each.client is client), None)
        if fork is None and len(files) == N_FILES:
            self._fork(client, files)
        elif said and fork is not None:
            fork.kill(said[0])
        else:
            self._forget(client)
            if fork is not None:
                fork.kill(signal.SIGKILL)
        for file in files:
            os.close(file)

    def _fork(self, client: socket.socket, files: list[int]) -> None:
        try:
            if len(os.listdir("/proc/self/task")) > 1:
                raise OSError(errno.EDEADLK, "a library has started threads")
            process = os.fork()
        except OSError as error:
            with suppress(OSError):
                client.send(f"{REFUSED} {error.strerror}".encode())
            return
        if process == 0:
            self._become_step(client, files)
        options = socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size
        client_process, *_ = CREDENTIALS.unpack(client.getsockopt(*options))
        processes.link(self._folder, client_process, process)
        fork = _Fork(process, os.pidfd_open(process), client, client_process)
        self._forks[fork.handle] = fork
        self._poll.register(fork.handle, select.POLLIN)

    def _become_step(self, client: socket.socket, files: list[int]) -> NoReturn:
        """Do a step in a fork, whatever happens there, and nothing of what the server does."""
        try:
            # A client is to hear of the end of its own fork from nobody else.
            for other in {self._listener, *self._clients.values()} - {client}:
                other.close()
            for handle in self._forks:
                os.close(handle)
            self._work(client, files)
        except BaseException as error:
            sys.excepthook(type(error), error, error.__traceback__)
        finally:
            os._exit(1)

    def _reap(self, fork: _Fork) -> None:
        _, status = os.waitpid(fork.process, 0)
        with suppress(OSError):
            fork.client.send(f"{ENDED} {status}".encode())
        processes.unlink(self._folder, fork.client_process)
        self._poll.unregister(fork.handle)
        del self._forks[fork.handle]
        os.close(fork.handle)
        self._forget(fork.client)

    def _forget(self, client: socket.socket) -> None:
        """Close a client's connection, unless that was done when it left."""
        if client.fileno() != -1:
            self._poll.unregister(client)
            del self._clients[client.fileno()]
            client.close()


if __name__ == "__main__":
    main()
