"""What Slurm says of a job that failed or waits, and of its nodes."""

import pytest

from snakemake_executor_plugin_slurm_steady import nodes, reasons

REFUSED = """SLURM sbatch failed. The error message was 'sbatch: error: Memory specification can \
not be satisfied
sbatch: error: Batch job submission failed: Requested node configuration is not available'.
    sbatch call:
        sbatch --parsable --mem 26000
"""
FAILED = "SLURM-job '7' failed, SLURM status is: 'FAILED'. Detailed failure reason unavailable."


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Return a function that puts a command on the path, which prints a text."""

    def make(name: str, text: str) -> None:
        (tmp_path / name).write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return make


def test_a_refusal_is_told_in_slurm_s_words():
    assert reasons.in_words_of_slurm(REFUSED, None, None) == (
        "Slurm refuses it: Memory specification can not be satisfied; Batch job submission failed:"
        " Requested node configuration is not available"
    )


@pytest.mark.parametrize("node", ["", "-c1"])
def test_a_failure_is_told_with_what_the_controller_and_the_node_say(command, tmp_path, node):
    command("scontrol", "JobId=7 JobState=FAILED Reason=OutOfMemory Dependency=(null)")
    log = tmp_path / "7.log"
    said = "Job 7 exceeded memory limit (2G > 1G), being killed"
    log.write_text(
        f"noise\nslurmstepd{node}: error: {said}\nslurmstepd{node}: error: STEP 7.0\n",
        encoding="utf-8",
    )
    assert reasons.in_words_of_slurm(FAILED, "7", {"slurm_logfile": log}) == (
        f"SLURM-job '7' failed, SLURM status is: 'FAILED': OutOfMemory: {said}"
    )


def test_without_more_to_say_the_state_is_told(command, tmp_path):
    command("scontrol", "JobId=7 Reason=NonZeroExitCode")
    aux = {"slurm_logfile": tmp_path / "none.log"}
    words = reasons.in_words_of_slurm(FAILED, "7", aux)
    assert words == "SLURM-job '7' failed, SLURM status is: 'FAILED'"


@pytest.mark.parametrize(
    ("reason", "lasting"),
    [
        ("BadConstraints", True),
        ("PartitionNodeLimit", True),
        ("PartitionTimeLimit", True),
        ("ReqNodeNotAvail, UnavailableNodes:c1", True),
        ("QOSMaxMemoryPerJob", True),
        ("AssocMaxCpuPerJobLimit", True),
        ("DependencyNeverSatisfied", True),
        ("JobHeldAdmin", True),
        ("Resources", False),
        ("Priority", False),
        ("None", False),
        ("BeginTime", False),
        ("QOSMaxJobsPerUserLimit", False),
    ],
)
def test_what_seldom_resolves_is_told_from_what_does(reason, lasting):
    assert reasons.is_lasting(reason) == lasting


NODES = "main*|16000\nmain*|8000\nbig|512000+\nodd|\n"


@pytest.mark.parametrize(
    ("partitions", "size"),
    [([], 16_000), (["big"], 512_000), (["main", "big"], 512_000), (["odd"], None), (["no"], None)],
)
def test_the_largest_node_is_that_of_the_partitions(command, partitions, size):
    command("sinfo", NODES)
    assert nodes.largest_memory(partitions) == size


def test_without_slurm_no_size_is_known(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert nodes.largest_memory([]) is None
