"""How far a run is, and how long it will still take."""

import os
import time
from collections import Counter
from collections.abc import Sequence
from logging import LogRecord

from snakemake_interface_logger_plugins.common import LogEvent

SHARE_TO_JUDGE_BY = 0.05
"""So much of the work is done before its pace is extrapolated; until then the estimate counts."""

NOTED = {
    LogEvent.WORKFLOW_STARTED,
    LogEvent.RUN_INFO,
    LogEvent.GROUP_INFO,
    LogEvent.JOB_INFO,
    LogEvent.SHELLCMD,
    LogEvent.JOB_STARTED,
    LogEvent.JOB_FINISHED,
    LogEvent.PROGRESS,
}
"""What `Progress.note` speaks for."""


class Progress:
    """The steps that a run began with, what they were expected to take, and which are done."""

    def __init__(self) -> None:
        self.is_running = False
        self._began = 0.0
        self._names: dict[int, str] = {}
        self._groups: dict[int, str] = {}
        self._expected: dict[int, float] = {}
        self._cores: int | None = None
        self._configfiles: list[str] = []
        self._done: set[int] = set()
        self._just_done: list[int] = []

    def note(self, event: LogEvent | None, record: LogRecord) -> str | None:
        """Take note of what Snakemake reports, and return a line if there is news."""
        match event:
            case LogEvent.WORKFLOW_STARTED:
                self._configfiles = [os.path.relpath(path) for path in record.configfiles]
            case LogEvent.RUN_INFO:
                return self._start(record)
            case LogEvent.GROUP_INFO:
                self._groups |= {job.jobid: record.group_id for job in record.jobs}
            case LogEvent.JOB_INFO:
                self._names[record.jobid] = _name(record)
            case LogEvent.JOB_FINISHED:
                self._just_done.append(record.job_id)
            case LogEvent.PROGRESS:
                return self._step(record.done, record.total)
            case None:
                self._expected, self._cores = record.expected, record.cores
                return self._expectation()
        return None

    def _start(self, record: LogRecord) -> str:
        self.is_running, self._began = True, time.monotonic()
        counts = dict(record.stats)
        total = counts.pop("total")
        each = ", ".join(f"{count} {rule}" for rule, count in counts.items())
        return f"{' over '.join(self._configfiles)}: {total} steps to do ({each})"

    def _expectation(self) -> str:
        total = sum(self._expected.values())
        said = f"expected: {in_words(total)} of processor time"
        if self._cores is None:
            return said
        return f"{said}, {in_words(total / self._cores)} on {self._cores} cores"

    def _step(self, done: int, total: int) -> str:
        just_done, self._just_done = self._just_done, []
        self._done.update(just_done)
        left = self._seconds_left()
        about = f", about {in_words(left)} left" if left is not None and done < total else ""
        when = time.strftime("%H:%M:%S")
        return f"[{when}] {done} of {total} done{about}: {self._names_of(just_done)}"

    def _seconds_left(self) -> float | None:
        """Return the seconds that what is left takes at the pace so far; None if none is known."""
        total = sum(self._expected.values())
        done = sum(self._expected.get(job, 0) for job in self._done)
        if done > SHARE_TO_JUDGE_BY * total:
            return (time.monotonic() - self._began) * (total - done) / done
        return (total - done) / self._cores if self._cores and total else None

    def _names_of(self, jobs: Sequence[int]) -> str:
        """Return the names of steps, but of a group its own and how many steps of each kind."""
        groups = {self._groups[job] for job in jobs if job in self._groups}
        if not groups:
            return ", ".join(self._names.get(job, "") for job in jobs)
        rules = Counter(self._names[job].partition(" ")[0] for job in jobs)
        counts = ", ".join(f"{count} {rule}" for rule, count in sorted(rules.items()))
        return f"{' '.join(sorted(groups))} ({counts})"


def in_words(seconds: float) -> str:
    """Return a duration as precisely as it is of use."""
    minutes = max(1, round(seconds / 60))
    hours, rest = divmod(minutes, 60)
    if hours >= 48:
        return f"{round(minutes / 60 / 24)} days"
    if hours >= 10:
        return f"{round(minutes / 60)} h"
    return f"{hours} h {rest} min" if hours else f"{minutes} min"


def _name(record: LogRecord) -> str:
    # A folder that some files of a rule lie in ends with a slash, and is empty for the others.
    values = [str(value).rstrip("/") for value in record.wildcards.values()]
    return " ".join(filter(None, [record.rule_name, *values]))
