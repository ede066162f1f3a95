"""What one job is expected to take: costs (`sae_surgery.plan.measured`), scaled to its cell.

The Snakefile reads it at every start, so this module imports nothing heavy.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sae_surgery.plan import costs, measured
from sae_surgery.plan.config import Run
from sae_surgery.plan.costs import Cost
from sae_surgery.plan.measured import Measured
from sae_surgery.problems.base import Problem

SHORT_SECONDS = 60
"""Jobs up to that long are bundled with others of their cell on a cluster."""

STEPS = ("simulate", "renew", "fit", "encode", "operate", "evaluate", "assess", "audit")
"""Steps that are submitted. All others take seconds, and are not counted."""


@dataclass(frozen=True)
class Job:
    """One job of the workflow."""

    step: str
    cell: Problem
    part: str | None = None
    """Method of a fit, surgery of an operation or an assessment."""
    method: str | None = None
    pending: bool = True
    """Whether it is still to be done."""


@dataclass(frozen=True)
class Estimate:
    """What one job is expected to take."""

    seconds: float
    """On the clock."""
    cost: Cost
    """What it asks for."""
    megabytes: float
    """On disk."""


def estimate(job: Job, run: Run) -> Estimate:
    """Return what a job is expected to take; next to nothing if its method cannot run there."""
    cost, cell, base = request(job, run), job.cell, measured.REFERENCE
    if job.method and costs.is_skipped(cell, job.method, run):
        return Estimate(measured.START_SECONDS, cost, 0.0)
    one = _measured(job, run)
    seeds = len(run.seeds) / measured.SEEDS
    samples = (cell.n_train + cell.n_val) / base.n_samples
    latents = cell.n_latents / base.n_latents
    dictionary = latents * cell.obs_dim / base.obs_dim
    growth = latents if job.step in {"evaluate", "assess", "audit"} else dictionary
    seconds = one.seconds * seeds * samples
    seconds *= measured.SMALL_SHARE + (1 - measured.SMALL_SHARE) * growth
    if cost.gpu:
        seconds /= measured.GAIN_OF_GPU
    else:
        seconds /= 1 + measured.GAIN_OF_THREADS * (cost.threads - 1)
    disk = seeds * (one.dictionaries * dictionary + one.codes * samples * latents)
    return Estimate(measured.START_SECONDS + seconds, cost, disk)


def processor_seconds(rule: str, wildcards: Mapping[str, str], run: Run) -> float:
    """Return what a job of a rule is expected to take on one core; little if it is local."""
    if rule not in STEPS:
        return measured.START_SECONDS
    method = wildcards.get("method")
    job = Job(rule, run.cells[wildcards["cell"]], wildcards.get("surgery", method), method)
    expected = estimate(job, run)
    return expected.seconds * expected.cost.threads


def is_short(job: Job, run: Run) -> bool:
    """Return whether a job is known to be too short for a scheduler to be bothered with it alone.

    One with a GPU never is: those bundled with it would hold the GPU, too.
    """
    if _measured(job, run) is measured.UNMEASURED:
        return False
    expected = estimate(job, run)
    return expected.cost.gpu == 0 and expected.seconds <= SHORT_SECONDS


def request(job: Job, run: Run) -> Cost:
    """Return what a job asks for."""
    match job.step:
        case "simulate":
            return costs.simulate(job.cell, run)
        case "renew":
            return costs.renew(job.cell, run)
        case "fit":
            fresh = run.protocol == "strict" and run.fits_anew(job.method)
            return costs.fit(job.cell, job.method, run, fresh)
        case "encode":
            return costs.fit(job.cell, job.method, run, run.protocol == "strict")
        case "operate":
            return costs.operate(job.cell, job.part, job.method, run)
        case "audit":
            return costs.audit(job.cell, run)
        case "tabulate":
            return costs.tabulate()
    return costs.evaluate(job.cell, run)


def _measured(job: Job, run: Run) -> Measured:
    match job.step:
        case "simulate" | "renew":
            return measured.SIMULATE
        case "encode" if run.method_of(job.part) in measured.FIT:
            return measured.ENCODE
        case "fit" | "encode":
            return measured.FIT.get(run.method_of(job.part), measured.UNMEASURED)
        case "operate":
            return measured.OPERATE.get(job.part, measured.UNMEASURED)
        case "assess":
            return _times(measured.ASSESS, len(run.experiments[job.part].methods_on(job.cell.name)))
    return _times(measured.EVALUATE, len(run.methods_on(job.cell.name)))


def _times(one: Measured, count: int) -> Measured:
    return Measured(*(count * value for value in one))
