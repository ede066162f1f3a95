"""Snakemake's reports, and one line more for each job that failed: which, where its log is, why."""

import sys
from logging import LogRecord
from pathlib import Path

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from sae_surgery import records


class LogHandler(LogHandlerBase):
    """Prints a line that begins with `failed:` for each attempt at a job that failed."""

    writes_to_stream = False
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def emit(self, record: LogRecord) -> None:
        """Print the line if a job's failure is reported."""
        failed = getattr(record, "event", None) == LogEvent.JOB_ERROR
        if failed and not any(_tells_of_success(path) for path in record.log):
            reason = (record.rule_msg or "its command failed").partition(". ")[0]
            logs = " ".join(str(path).partition(" (")[0] for path in record.log)
            # On a line of its own wherever Snakemake's report, from another thread, has got to.
            sys.stderr.write(f"\nfailed: {record.rule_name}, log: {logs}, reason: {reason}\n")


def _tells_of_success(log: str) -> bool:
    """Return whether a step's log ends with its record: only another of its group has failed."""
    try:
        return records.of_log(Path(log)) is not None
    except OSError:
        return False
