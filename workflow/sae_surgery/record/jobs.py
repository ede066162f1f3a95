"""What each job did, in the last line of its log: what it read and wrote, when and where."""

import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from sae_surgery.machine import atomic

MARK = "job: "
KIBIBYTE = 1024


def record(step: str, run: Callable[..., None], options: Mapping[str, Any], began: float) -> None:
    """Run a step, and print its record where standard error goes to a log.

    Parameters
    ----------
    step
        Name of the step.
    run, options
        The step and its arguments; those that are paths of files there already are its inputs.
    began
        Seconds since the epoch at which the process began.
    """
    inputs = [path for path in _paths(options.values()) if os.path.isfile(path)]
    date_back(inputs)
    first, start_seconds = len(atomic.written), time.process_time()
    run(**options)
    # Checkpoints are gone by now.
    outputs = [path for path in atomic.written[first:] if path.exists()]
    if outputs and not sys.stderr.isatty():
        job = {
            "step": step,
            "inputs": sorted({str(path) for path in inputs} - {str(path) for path in outputs}),
            "outputs": [str(path) for path in outputs],
            "began": began,
            "ended": time.time(),
            "host": os.environ.get("SLURMD_NODENAME", platform.node()),
            "slurm_job": os.environ.get("SLURM_JOB_ID"),
            "threads": options.get("threads", 1),
            "gpu": _gpu(),
            "start_seconds": round(start_seconds, 2),
            "processor_seconds": round(time.process_time() - start_seconds, 2),
            "peak_mb": round(_peak_mb()),
        }
        print(MARK + json.dumps(job), file=sys.stderr)


def tells_of_success(log: str) -> bool:
    """Return whether a step's log ends with its record: the step itself went well."""
    try:
        return of_log(Path(log)) is not None
    except OSError:
        return False


def date_back(paths: Iterable[Path]) -> None:
    """Date files of the future now: a clock was ahead when they were written.

    Snakemake throws away what was made from a file that is dated later. Where the date cannot be
    changed, as on a read-only mount or a file of another owner, a line on standard error says so.
    """
    now = time.time()
    for path in paths:
        try:
            if path.stat().st_mtime > now:
                _date(path, now)
        except OSError:
            # The step that reads it says what is wrong.
            continue


def _date(path: Path, when: float) -> None:
    try:
        os.utime(path, (when, when))
    except OSError as error:
        words = "dated in the future, so that Snakemake may make again what is made from it"
        print(f"{path}: {words}, and cannot be dated now ({error.strerror})", file=sys.stderr)


def of_log(path: Path) -> dict[str, Any] | None:
    """Return the record in a step's log; None if the step has not run to its end.

    Raises
    ------
    OSError
        If there is no such log.
    """
    # What libraries print may be in any encoding.
    last = path.read_text(encoding="utf-8", errors="replace").splitlines()[-1:]
    if not last or not last[0].startswith(MARK):
        return None
    try:
        return json.loads(last[0].removeprefix(MARK))
    except ValueError:
        return None


def _paths(values: Iterable[Any]) -> Iterable[Path]:
    for value in values:
        if isinstance(value, Path):
            yield value
        elif isinstance(value, list):
            yield from _paths(value)


def _peak_mb() -> float:
    """Return the most memory that this process had; of a fork, what it shares counts, too."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBIBYTE / 1e6


def _gpu() -> str | None:
    """Return the model of the GPU that was computed on, without loading PyTorch to find none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    return torch.cuda.get_device_name()
