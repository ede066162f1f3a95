"""Snakemake's reports, and one line more for each job that failed: which, where its log is, why."""

import sys
from logging import LogRecord

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from sae_surgery.records import tells_of_success


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
        # If its log tells of success, only another of its group has failed.
        if failed and not any(map(tells_of_success, record.log)):
            reason = (record.rule_msg or "its command failed").partition(". ")[0]
            logs = " ".join(str(path).partition(" (")[0] for path in record.log)
            # On a line of its own wherever Snakemake's report, from another thread, has got to.
            sys.stderr.write(f"\nfailed: {record.rule_name}, log: {logs}, reason: {reason}\n")
