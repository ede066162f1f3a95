"""What the nodes of a cluster have."""

import subprocess
from collections.abc import Collection

SECONDS = 60


def largest_memory(partitions: Collection[str]) -> int | None:
    """Return the megabytes of the largest node in some partitions, in the default one if none.

    It is None where Slurm does not say.
    """
    query = ["sinfo", "--noheader", "--Node", "--format=%P|%m"]
    try:
        shown = subprocess.run(
            query, capture_output=True, text=True, timeout=SECONDS, errors="replace"
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    nodes = [line.strip().split("|") for line in shown.splitlines() if "|" in line]
    wanted = set(partitions) or {name.strip("*") for name, _ in nodes if name.endswith("*")}
    sizes = [size.strip("+") for name, size in nodes if name.strip("*") in wanted]
    return max((int(size) for size in sizes if size.isdecimal()), default=None)
