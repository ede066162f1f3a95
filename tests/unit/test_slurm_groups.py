"""A group that failed: its missing members are tried again, each on its own count."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from sae_surgery.record.jobs import MARK
from snakemake_executor_plugin_slurm_steady import groups
from snakemake_executor_plugin_slurm_steady.groups import Groups

RETRIES = 2


class Group:
    """A group job, as far as it matters here."""

    def __init__(self, groupid, jobs, global_resources):
        self.groupid, self.jobs, self.global_resources = groupid, jobs, global_resources
        self.restart_times, self._attempt = RETRIES, 1

    def finalize(self):
        pass

    @property
    def attempt(self):
        return self._attempt

    @attempt.setter
    def attempt(self, attempt):
        self._attempt = attempt
        for job in self.jobs:
            job.attempt = attempt

    def __hash__(self):
        return hash(self.jobs)

    def __eq__(self, other):
        return self.jobs == other.jobs


class Member(SimpleNamespace):
    """A job of a group."""

    def __hash__(self):
        return hash(self.log[0])

    def end(self, how: str) -> None:
        if how != "not begun":
            Path(self.log[0]).write_text(
                "noise\n" + f"{MARK}{{}}\n" * (how == "well"), encoding="utf-8"
            )
        if how == "well":
            Path(self.output[0]).write_text("result", encoding="utf-8")


@pytest.fixture
def group(tmp_path, monkeypatch):
    monkeypatch.setattr(groups, "GroupJob", Group)
    members = [
        Member(log=[str(tmp_path / f"{name}.log")], output=[str(tmp_path / name)], attempt=1)
        for name in "abc"
    ]
    return Group("small", frozenset(members), {})


def ended(group: Group, *hows: str) -> list[Member]:
    members = sorted(group.jobs, key=lambda member: member.log[0])
    for member, how in zip(members, hows, strict=True):
        member.end(how)
    return members


def test_what_is_missing_is_tried_again_and_what_failed_asks_for_more(group):
    all_groups = Groups()
    _, failed, waiting = ended(group, "well", "badly", "not begun")
    assert all_groups.failed(group) == [failed]
    rest = all_groups.rest(group, with_more=True)
    assert rest.jobs == {failed, waiting}
    assert (failed.attempt, waiting.attempt) == (2, 1)
    assert all_groups.whole(rest) is group


def test_a_cancelled_group_asks_for_no_more_than_before(group):
    members = ended(group, "badly", "badly", "not begun")
    rest = Groups().rest(group, with_more=False)
    assert rest.jobs == group.jobs
    assert [member.attempt for member in members] == [1, 1, 1]


def test_a_record_without_the_result_is_no_success(group):
    all_groups = Groups()
    first, *_ = ended(group, "well", "well", "well")
    Path(first.output[0]).unlink()
    assert all_groups.missing(group) == [first]


def test_it_is_given_up_after_as_many_retries_as_are_asked_for(group):
    all_groups = Groups()
    ended(group, "well", "badly", "not begun")
    rest = group
    for _ in range(RETRIES):
        rest = all_groups.rest(rest, with_more=True)
        assert all_groups.whole(rest) is group
        assert not all_groups.is_given_up(rest)
    assert all_groups.is_given_up(all_groups.rest(rest, with_more=True))
