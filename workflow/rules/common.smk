"""The validated configuration, and what all stages share."""

import json
import os
import re
import sys
from pathlib import Path

from snakemake import benchmark
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from sae_surgery.errors import SurgeryError
from sae_surgery.machine import launch

PROJECT = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1]
launch.isolate()
try:
    launch.require_own(str(PROJECT))
except SurgeryError as error:
    raise WorkflowError(error) from None

from sae_surgery import figures as figure_registry, metrics, surgeries
from sae_surgery.forks import processes
from sae_surgery.forks.client import VARIABLE
from sae_surgery.forks.start import start as start_server
from sae_surgery.machine import gpus
from sae_surgery.machine.provenance import source_digest
from sae_surgery.pages import published
from sae_surgery.plan.configfile import load as load_config, read as read_config
from sae_surgery.plan.costs import LOCAL, Job, is_short, of_rule
from sae_surgery.plan.memory import BASE_MB, LIGHT_MB

# The default lies below the files of the command line, and over all is what `--config` says.
FROM_COMMAND_LINE = workflow.overwrite_configfiles
DEFAULTS = workflow.configfiles[len(FROM_COMMAND_LINE) :]

try:
    GIVEN = read_config(
        map(Path, [*DEFAULTS, *FROM_COMMAND_LINE]), workflow.config_settings.config_args or ()
    )
    RUN = load_config(GIVEN)
except SurgeryError as error:
    raise WorkflowError(error) from None

config.clear()
config.update(GIVEN.value)

# A limit of Snakemake's own executor is one on jobs at a time here; a cluster counts its own GPUs.
ON_CLUSTER = workflow.nodes is not None
# For the Snakemake within each job of a cluster. Measured on the tests' Slurm, resident: two of 154 MB
# and their shells around a job of its own, 329 MB in all, and 167 MB around a group.
SNAKEMAKE_MB = 350
if workflow.is_main_process and not ON_CLUSTER and "gpu" not in workflow.global_resources:
    N_GPUS = gpus.count()
    if N_GPUS:
        workflow.register_resource("gpu", N_GPUS)

RESULTS = f"results/{RUN.name}"
SCORED = f"{RESULTS}/{RUN.protocol}"
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"

# The strict protocol has samples of its own, and what is inferred on them; models are fitted anew
# where their settings differ, and shared with the paper's protocol otherwise.
STRICT = RUN.protocol == "strict"
SAMPLED = SCORED if STRICT else RESULTS
SAMPLED_LOGS = f"{LOGS}/strict" if STRICT else LOGS
SAMPLED_BENCHMARKS = f"{BENCHMARKS}/strict" if STRICT else BENCHMARKS

CELLS = RUN.cells
FIGURES = [
    name
    for name in figure_registry.available()
    if set(figure_registry.inputs(name)) <= set(RUN.experiments)
]
PUBLISHED = [
    name
    for name, experiment in RUN.experiments.items()
    if name in published.available()
    if RUN.protocol == experiment.problem == "paper"
]


def one_of(names):
    """Return a pattern that matches these names and nothing else."""
    return "|".join(names) or "nothing"


ANEW = [name for name in RUN.fittable if RUN.fits_anew(name)]
SHARED = [name for name in RUN.fittable if not RUN.fits_anew(name)]


def below(folder, names):
    """Return a pattern of a folder, of those files alone that are called by these names."""
    return rf"{folder}(?=(?:[^/]+/)+(?:{one_of(names)})\.nc)"


def model_of(cell, method):
    """Return the path of the model that the protocol scores."""
    return f"{SCORED if RUN.fits_anew(method) else RESULTS}/models/{cell}/{method}.nc"


wildcard_constraints:
    cell=one_of(map(re.escape, CELLS)),
    method=one_of(RUN.fittable),
    experiment=one_of(RUN.experiments),
    surgery=one_of(RUN.surgeries),
    figure=one_of(FIGURES),


def source(path):
    """Return a file of the project as seen from the working folder, which may be another."""
    return os.path.relpath(PROJECT / path)


def as_parameter(settings):
    """Return settings as one string: Snakemake compares parameters without their names."""
    return json.dumps(settings, sort_keys=True)


def step_digest(step, *modules):
    """Return the digest of the source of a step, which reruns it when its meaning changes."""
    return source_digest(f"sae_surgery.steps.{step}", *modules)


def memory(mem_mb, attempt):
    """Return the memory to ask for, more with each attempt; on a cluster, with Snakemake's own."""
    return attempt * (mem_mb + SNAKEMAKE_MB * ON_CLUSTER)


def threads_of(rule):
    """Return the threads of a rule."""
    return lambda w: of_rule(rule, w, RUN).threads


def asks(rule, device=False):
    """Return the resources of a rule; a GPU is one if it has a device.

    The device is no parameter: a model is not fitted again because the next machine has no GPU.
    """

    def cost(wildcards):
        return of_rule(rule, wildcards, RUN)

    resources = {
        "mem_mb": lambda w, attempt: memory(cost(w).mem_mb, attempt),
        "runtime": lambda w, attempt: attempt * cost(w).runtime,
    }
    if device:
        resources |= {"gpu": lambda w: cost(w).gpu, "device": lambda w: cost(w).device}
    return resources


def report_expected_times():
    """Let the logger know what each job to be done is expected to take."""
    jobs = {
        job.jobid: of_rule(job.rule.name, job.wildcards_dict, RUN)
        for job in workflow.dag.needrun_jobs()
    }
    seconds = {name: each.seconds * each.threads for name, each in jobs.items()}
    extra = {
        "expected": seconds,
        "cores": None if ON_CLUSTER else workflow.cores,
        "gpu_seconds": sum(each.seconds * each.gpu for each in jobs.values()),
        "megabytes": sum(each.megabytes for each in jobs.values()),
    }
    logger.info(f"Expected seconds of processor time: {sum(seconds.values()):.0f}", extra=extra)


def start_forks():
    """Let the steps of a run on this machine be forks of one process that has the libraries."""
    if not workflow.is_main_process or ON_CLUSTER or workflow.touch:
        return
    server = start_server(sum(job.is_shell for job in workflow.dag.needrun_jobs()))
    if server is None:
        return
    # It ends when nobody holds its standard input any more.
    workflow.globals["SERVER"] = server

    class Timer(benchmark.BenchmarkTimer):
        """What measures a job, its fork included."""

        def __init__(self, pid, *arguments):
            super().__init__(pid, *arguments)
            self.main = processes.WithForks(pid, Path(os.environ[VARIABLE]).parent)

    benchmark.BenchmarkTimer = Timer


def bundle(step, cell, part=None, method=None):
    """Return the group of a job: on a cluster, short ones of a cell go as one.

    A group is of jobs that depend on nothing outside that depends on them.
    """
    if not ON_CLUSTER or not is_short(Job(step, CELLS[cell], part, method), RUN):
        return None
    parent = RUN.parent_of(method) if step == "fit" else None
    if parent and not bundle(step, cell, parent, parent):
        return None
    return f"{part}_{cell}" if step in {"operate", "assess"} else f"small_{cell}"
