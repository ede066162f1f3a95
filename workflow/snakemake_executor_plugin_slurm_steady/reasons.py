"""Why a job failed or does not start, in Slurm's own words."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SECONDS = 60
_REFUSED = re.compile(r"The error message was '(.*?)'\.?\n", re.DOTALL)
_BY_NODE = re.compile(r"^slurm(?:step)?d(?:-\S+)?: error: (.*)$", re.MULTILINE)
_LASTING = re.compile(
    r"BadConstraints|Constraints|Partition(NodeLimit|TimeLimit|Down|Inactive|Config)"
    r"|ReqNodeNotAvail|Nodes.required|JobHeld(Admin|User)|DependencyNeverSatisfied"
    r"|(Account|QOS)NotAllowed|Invalid(Account|QOS)|MaxMemPerLimit|(Assoc|QOS)\w*PerJob"
)


def in_words_of_slurm(message: str, job: str | None, aux: Mapping[str, Any] | None) -> str:
    """Return why a job failed.

    Parameters
    ----------
    message
        What the plugin has to say.
    job
        Slurm's number of the job, None if it was refused.
    aux
        What the plugin keeps of the job: the log that Slurm writes.
    """
    refused = _REFUSED.search(message)
    if refused:
        lines = [re.sub("^sbatch: (error: )?", "", line) for line in refused[1].splitlines()]
        return f"Slurm refuses it: {'; '.join(lines)}"
    words = [message.partition(". ")[0].strip()]
    if job:
        words += _reason(job)
        # The first says why; others follow from it.
        words += _BY_NODE.findall(_text((aux or {}).get("slurm_logfile")))[:1]
    return ": ".join(dict.fromkeys(words))


def is_lasting(reason: str) -> bool:
    """Return whether a pending job's reason seldom goes away by itself."""
    return _LASTING.match(reason) is not None


def _reason(job: str) -> list[str]:
    """Return what the controller gives as the reason, if it is more than an exit code."""
    query = ["scontrol", "show", "job", "--oneliner", job]
    try:
        shown = subprocess.run(
            query, capture_output=True, text=True, timeout=SECONDS, errors="replace"
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    reasons = re.findall(r" Reason=(\S+)", shown)
    return [each for each in reasons if each not in {"None", "NonZeroExitCode"}]


def _text(log: Path | None) -> str:
    try:
        return log.read_text(errors="replace", encoding="utf-8") if log else ""
    except OSError:
        return ""
