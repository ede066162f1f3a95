"""What a run says: few lines, how far it is, what failed; all else is in Snakemake's log."""

import re

from project import CELL, Project


def test_each_step_is_a_line_and_the_details_are_in_the_log(fresh):
    fresh.configure(methods=["raw", "pca"])
    lines = fresh.succeed("metrics").splitlines()
    steps = [line for line in lines if re.match(r"\[\d\d:\d\d:\d\d\] \d+ of 5 done", line)]
    assert [re.search(r"(\d+) of", line)[1] for line in steps] == ["1", "2", "3", "4", "5"]
    assert all(re.search(r"done, about .* left: ", line) for line in steps[:-1])
    assert steps[0].endswith(f"simulate {CELL}")
    assert "tiny.yaml over config/quick.yaml: 5 steps to do (1 simulate, 2 fit, 1 eval" in str(
        lines
    )
    assert len(lines) <= len(steps) + 10
    (log,) = (fresh.folder / ".snakemake/log").iterdir()
    assert f"Complete log(s): {log}" in lines
    for detail in ("rule fit:", "wildcards: cell=", "Finished jobid:", "Expected seconds of"):
        assert detail in log.read_text(encoding="utf-8")


def failing(project: Project) -> Project:
    project.configure(methods=["raw"])
    project.append("steps/evaluate.py", "raise RuntimeError('as the test wants it')")
    return project


def test_a_failure_is_a_line_with_the_log_below(fresh):
    done = failing(fresh).run("metrics")
    assert done.returncode != 0
    log = f"results/tiny/logs/paper/evaluate/{CELL}.log"
    start = f"failed: evaluate, log: {log}, reason: its command failed\n    "
    assert done.stdout.count(start) == 1
    assert "    RuntimeError: as the test wants it\n" in done.stdout


def test_a_failure_is_told_however_quiet(fresh):
    said = failing(fresh).run("metrics", "--quiet", "all").stdout
    assert "failed: evaluate" in said
    assert " done" not in said
