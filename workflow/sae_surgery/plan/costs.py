"""What a job costs: threads, a GPU, memory, time, a limit of the time, and disk.

Memory is counted array by array (`sae_surgery.plan.memory`); time and disk are measured
(`sae_surgery.plan.measured`) and scaled by the products that a job must do. The limit is a multiple
of the time, so that what a plan says and what a scheduler is asked for cannot differ.

The Snakefile reads it at every start, so this module imports nothing heavy.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sae_surgery.plan import measured, memory
from sae_surgery.plan.config import Run
from sae_surgery.problems.base import Problem

STEPS = ("simulate", "renew", "fit", "encode", "operate", "evaluate", "assess", "audit")
"""Steps that are submitted. All others take seconds, and are not counted."""
EXAMINING = ("sample", "load", "learn", "ask")
"""Steps of an examination that are submitted."""
THREADS_TO_EXAMINE = 4
SHORT_SECONDS = 60
"""Jobs up to that long are bundled with others of their cell on a cluster."""
BASE_MINUTES, LIMIT = 20, 8
"""A job is stopped after so many minutes and so many times the time that it is expected to take."""
MANY_THREADS = 8
ONE_THREAD_UP_TO = 1_500_000
"""Samples times latents up to which a second thread gains less than a second job does."""
BUDGETS = ("epochs", "max_rounds", "max_steps")
"""Settings that the time of a fit grows with; a method has one of them at most."""
SCORINGS_OF_AUDIT = 5


@dataclass(frozen=True)
class Job:
    """One job of the workflow."""

    step: str
    cell: Problem
    part: str | None = None
    """Method of a fit, surgery of an operation or an assessment."""
    method: str | None = None
    fresh: bool = False
    """Whether it infers codes of the strict protocol's samples."""
    pending: bool = True
    """Whether it is still to be done."""


@dataclass(frozen=True)
class Cost:
    """What one job takes."""

    threads: int
    mem_mb: int
    """That it asks for."""
    seconds: float
    """That it is expected to take, on the clock."""
    megabytes: float = 0.0
    """On disk."""
    gpu: int = 0
    device: str = "cpu"
    """Value of the step's option `--device`."""

    @property
    def runtime(self) -> int:
        """Minutes after which a scheduler may stop it."""
        return BASE_MINUTES + math.ceil(LIMIT * self.seconds / 60)


LOCAL = Cost(threads=1, mem_mb=memory.LIGHT_MB, seconds=measured.START_SECONDS)
"""A table, or any other step that is not submitted."""


def cost(job: Job, run: Run) -> Cost:
    """Return what a job takes; next to nothing if its method cannot run on the cell."""
    if job.step not in STEPS:
        return LOCAL
    if job.method and is_skipped(job.cell, job.method, run):
        return Cost(threads=1, mem_mb=memory.BASE_MB, seconds=measured.START_SECONDS)
    device = _device(job, run)
    threads = 1 if job.step in {"simulate", "renew"} else _threads(job.cell)
    speed = 1 + measured.GAIN_OF_THREADS * (threads - 1)
    if device != "cpu":
        speed = measured.GAIN_OF_GPU
    return Cost(
        threads=threads,
        mem_mb=_memory(job, run) + memory.GPU_MB * (device != "cpu"),
        seconds=measured.START_SECONDS + seconds_on_one_thread(job, run) / speed,
        megabytes=_megabytes(job, run),
        gpu=int(device != "cpu"),
        device=device,
    )


def examining(step: str, sae: str | None, question: str, run: Run) -> Cost:
    """Return what a step of an examination takes; the rule asks for memory by its files' sizes."""
    one = measured.of(step, question)
    threads = 1 if step == "sample" else THREADS_TO_EXAMINE
    work = run.examination.gigaproducts(sae) if sae else 0.0
    speed = 1 + measured.GAIN_OF_THREADS * (threads - 1)
    seconds = measured.START_SECONDS + (one.seconds + one.rate * work) / speed
    return Cost(threads, memory.BASE_MB, seconds)


def of_rule(rule: str, wildcards: Mapping[str, str], run: Run) -> Cost:
    """Return what a job of a rule takes; little if it is local."""
    if rule in EXAMINING:
        return examining(rule, wildcards.get("sae"), wildcards.get("question", ""), run)
    if rule not in STEPS:
        return LOCAL
    cell, method = run.cells[wildcards["cell"]], wildcards.get("method")
    samples = wildcards.get("of", "")
    fresh = samples == "strict/" if rule == "fit" else samples != "crossed/paper_samples/"
    return cost(Job(rule, cell, wildcards.get("surgery", method), method, fresh), run)


def is_short(job: Job, run: Run) -> bool:
    """Return whether a job is known to be too short for a scheduler to be bothered with it alone.

    One with a GPU never is: those bundled with it would hold the GPU, too.
    """
    if not measured.of(*kind(job, run)).jobs:
        return False
    expected = cost(job, run)
    return expected.gpu == 0 and expected.seconds <= SHORT_SECONDS


def is_skipped(cell: Problem, method: str, run: Run) -> bool:
    """Return whether a method cannot run on a cell of that size, and only says so."""
    limit = run.trait(method, "max_latents")
    return limit is not None and cell.n_latents > limit


def seconds_on_one_thread(job: Job, run: Run) -> float:
    """Return the seconds that a job takes beside the start of Python."""
    one = measured.of(*kind(job, run))
    return repetitions(job, run) * (one.seconds + one.rate * gigaproducts(job))


def repetitions(job: Job, run: Run) -> float:
    """Return how often a job does what was measured: seeds, times codes scored or its budget."""
    match job.step:
        case "evaluate":
            times = len(run.methods_on(job.cell.name))
        case "assess":
            times = len(run.experiments[job.part].methods_on(job.cell.name))
        case "audit":
            times = SCORINGS_OF_AUDIT * len(run.experiments["audit"].methods_on(job.cell.name))
        case "fit":
            times = _budget(job.method, run)
        case _:
            times = 1
    return len(run.seeds) * times


def gigaproducts(job: Job) -> float:
    """Return 10⁹ products of numbers that a step does once, for each seed, as its size grows."""
    cell = job.cell
    n_samples = cell.n_train + cell.n_val
    match job.step:
        case "simulate" | "renew":
            # `choice` without replacement permutes all latents, for every sample.
            return n_samples * cell.n_latents / 1e9
        case "evaluate" | "assess" | "audit":
            n_active = min(cell.n_latents, cell.k * cell.n_val)
            return n_samples * cell.obs_dim * n_active / 1e9
    return n_samples * cell.obs_dim * cell.n_latents / 1e9


def _budget(method: str, run: Run) -> float:
    """Return how many times its published budget a method is given."""
    usual = measured.of("fit", run.method_of(method)).budget
    given = run.settings_of(method)
    return next((given[name] / usual for name in BUDGETS if usual and name in given), 1.0)


def _memory(job: Job, run: Run) -> int:
    cell = job.cell
    match job.step:
        case "simulate":
            return memory.draw(cell, cell.n_train + cell.n_val + cell.n_ood, run)
        case "renew":
            return memory.draw(cell, sum(cell.fresh_samples()), run)
        case "fit" | "encode":
            return memory.fit(cell, job.method, run, job.fresh)
        case "operate":
            return memory.operate(cell, job.part, job.method, run)
    return memory.score(cell, run)


def _megabytes(job: Job, run: Run) -> float:
    """Return the megabytes of a job's files on disk."""
    cell, base = job.cell, measured.REFERENCE
    one = measured.of(*kind(job, run))
    latents = cell.n_latents / base.n_latents
    samples = (cell.n_train + cell.n_val) / base.n_samples
    dictionaries = one.dictionaries * latents * cell.obs_dim / base.obs_dim
    times = repetitions(job, run) if job.step != "fit" else len(run.seeds)
    return times * (dictionaries + one.codes * samples * latents)


def kind(job: Job, run: Run) -> tuple[str, str]:
    """Return what a job is measured as: its step, and its surgery or the method of its model.

    An audit scores codes, as an evaluation does.
    """
    match job.step:
        case "fit":
            return job.step, run.method_of(job.method)
        case "operate" | "assess":
            return job.step, job.part
        case "audit":
            return "evaluate", ""
    return job.step, ""


def _device(job: Job, run: Run) -> str:
    """Return where a job runs: on the CPU wherever a GPU does not pay."""
    method = "dl_fista" if job.step == "operate" else job.method
    if job.step not in {"fit", "encode", "operate"}:
        return "cpu"
    pays_from = run.trait(method, "gpu_from")
    pays = pays_from is not None and job.cell.n_latents >= pays_from
    return run.device if pays else "cpu"


def _threads(cell: Problem) -> int:
    small = cell.n_latents * (cell.n_train + cell.n_val) <= ONE_THREAD_UP_TO
    return 1 if small else MANY_THREADS
