"""Which fork does the step of which client, as links in the server's folder.

The fork is no descendant of its client: who measures a job by the processes below its shell, as
Snakemake's `benchmark:` does, has to be told. Snakemake measures twice a second at first: of a step
that is shorter, the record in its log tells more.
"""

import os
from contextlib import suppress
from pathlib import Path

import psutil


def link(folder: Path, client: int, fork: int) -> None:
    """Write down the fork of a client; if that is refused, only measurements miss it."""
    unlink(folder, client)
    with suppress(OSError):
        (folder / str(client)).symlink_to(str(fork))


def unlink(folder: Path, client: int) -> None:
    """Strike out a client."""
    with suppress(OSError):
        (folder / str(client)).unlink()


class WithForks(psutil.Process):
    """A process among whose children are the forks of those that are clients."""

    def __init__(self, process: int, folder: Path) -> None:
        super().__init__(process)
        self._folder = folder

    def children(self, recursive: bool = False) -> list[psutil.Process]:
        """Return the children, and the forks of clients among them."""
        found = super().children(recursive)
        forks = []
        for client in found:
            with suppress(OSError, psutil.NoSuchProcess):
                fork = psutil.Process(int(os.readlink(self._folder / str(client.pid))))
                forks += [fork, *fork.children(recursive)]
        return found + forks
