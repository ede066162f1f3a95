"""What is left of a group whose job has failed: its missing members, each on its own count.

Snakemake tries a group again as a whole, and every member with as much more memory as the one that
failed. Here only members that are missing are tried again, and only those that failed ask for more.
Snakemake hears of the group once: when all of it is done, or, of what is missing, when it has been
tried often enough.
"""

from collections import Counter
from pathlib import Path

from snakemake.jobs import GroupJob, Job

from sae_surgery.record.jobs import tells_of_success


class Groups:
    """The groups that have failed, and what was submitted in place of them."""

    def __init__(self) -> None:
        self._wholes: dict[GroupJob, GroupJob] = {}
        self._failures: Counter[GroupJob] = Counter()

    def whole(self, job: Job | GroupJob) -> Job | GroupJob:
        """Return the job that Snakemake knows, of which this may be a part."""
        return self._wholes.get(job, job)

    def missing(self, job: GroupJob) -> list[Job]:
        """Return the members whose results are not there."""
        return [member for member in job.jobs if not _is_done(member)]

    def failed(self, job: GroupJob) -> list[Job]:
        """Return the members that were begun and did not end well, in one order."""
        begun = [member for member in self.missing(job) if any(map(_exists, member.log))]
        return sorted(begun, key=lambda member: member.log[0])

    def rest(self, job: GroupJob, with_more: bool) -> GroupJob:
        """Return a job of the missing members.

        Parameters
        ----------
        with_more
            Whether those that failed ask for more memory and time.
        """
        whole = self.whole(job)
        self._failures[whole] += 1
        attempts = {member: member.attempt for member in self.missing(job)}
        if with_more:
            attempts |= {member: attempts[member] + 1 for member in self.failed(job)}
        rest = GroupJob(whole.groupid, frozenset(attempts), whole.global_resources)
        rest.finalize()
        # To the Snakemake inside, it is the attempt of all; that makes it cautious.
        rest.attempt = max(attempts.values())
        for member, attempt in attempts.items():
            member.attempt = attempt
        self._wholes[rest] = whole
        return rest

    def is_given_up(self, rest: GroupJob) -> bool:
        """Return whether the group has been tried as often as is asked for."""
        return self._failures[self.whole(rest)] > rest.restart_times


def _is_done(member: Job) -> bool:
    return all(map(tells_of_success, member.log)) and all(map(_exists, member.output))


def _exists(path: str) -> bool:
    return Path(path).exists()
