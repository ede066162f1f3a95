"""What a run says: a line for each step that has ended, with the time left, and what failed, why.

All that Snakemake has to say is in the file that it keeps, .snakemake/log/<date>.snakemake.log. A
dry run, `--verbose` and whatever else does not run anything say it as ever.
"""

import contextlib
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from logging import LogRecord
from pathlib import Path

from snakemake.logging import DefaultFilter, DefaultFormatter
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from sae_surgery.record.jobs import tells_of_success
from snakemake_logger_plugin_failures.progress import NOTED, Progress

LINES_OF_A_LOG = 40
"""Of a log that is longer, the end is shown."""
WORTH_SAYING = ("Complete log", "Terminating processes", "Will exit after")
"""How messages begin that are shown while jobs run: where the log is, how an interrupt goes on."""
FURTHER = ". For further error details"
"""How Snakemake goes on after the reason of a job that was submitted."""


class LogHandler(LogHandlerBase):
    """Prints lines of progress, and one that begins with `failed:` for each attempt that failed."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def __post_init__(self) -> None:
        """Nothing runs yet."""
        said = self.common_settings
        self._filter = DefaultFilter(
            said.quiet, said.debug_dag, said.verbose, said.dryrun, said.printshellcmds
        )
        self._in_full = DefaultFormatter(said.quiet, said.show_failed_logs)
        self._progress = Progress()

    def emit(self, record: LogRecord) -> None:
        """Print what there is to say."""
        try:
            stream = sys.stdout if self.common_settings.stdout else sys.stderr
            stream.writelines(f"{line}\n" for line in self._lines(record))
            stream.flush()
        except Exception:
            self.handleError(record)

    def _lines(self, record: LogRecord) -> Iterator[str]:
        event = getattr(record, "event", None)
        if self.common_settings.dryrun or self.common_settings.verbose:
            yield from self._as_snakemake(record)
        elif event == LogEvent.JOB_ERROR:
            yield from self._failure(record)
        elif hasattr(record, "failed_group"):
            yield f"failed: group {record.failed_group}, reason: {record.getMessage()}"
        elif event in NOTED or hasattr(record, "expected"):
            line = self._progress.note(event, record)
            yield from [line] if line and self._filter.filter(record) else []
        elif not self._progress.is_running or _is_worth_it(record):
            yield from self._as_snakemake(record)

    def _as_snakemake(self, record: LogRecord) -> list[str]:
        shown = self._filter.filter(record) and self._in_full.format(record)
        return [shown] if shown else []

    def _failure(self, record: LogRecord) -> Iterator[str]:
        logs = [os.path.relpath(str(path).partition(" (")[0]) for path in record.log]
        if any(map(tells_of_success, logs)):
            # Only another of its group has failed.
            return
        reason = (record.rule_msg or "its command failed").partition(FURTHER)[0].rstrip(". ")
        yield f"failed: {record.rule_name}, log: {' '.join(logs)}, reason: {reason}"
        if self.common_settings.show_failed_logs:
            yield from _end(logs)


def _is_worth_it(record: LogRecord) -> bool:
    return record.levelno >= logging.WARNING or record.getMessage().startswith(WORTH_SAYING)


def _end(logs: Iterable[str]) -> list[str]:
    """Return the last lines, indented, of the first log that there is: the step's, or Slurm's."""
    for log in logs:
        with contextlib.suppress(OSError):
            lines = Path(log).read_text(encoding="utf-8", errors="replace").splitlines()
            return [f"    {line}" for line in lines[-LINES_OF_A_LOG:]]
    return []
