"""`python -m benchmarks.memory_of_steps`: what each kind of step asks for, and what it uses.

Each step runs in a process of its own, with the arguments that the workflow gives, under both
protocols. Its peak of resident memory stands beside what `sae_surgery.plan.memory` asks for, of
which a unit test says whether it is enough and not too much. Budgets of training are tiny, since
memory does not depend on them; numbers of samples are the paper's.
"""

import argparse
import csv
import json
import resource
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import SimpleQueue, get_context
from pathlib import Path
from typing import Any

from sae_surgery import cli, methods, surgeries
from sae_surgery.plan import config
from sae_surgery.plan.config import Run
from sae_surgery.plan.costs import Job, cost, is_skipped
from sae_surgery.problems.laws.sizes import compressed_sensing_dim
from sae_surgery.problems.paper import Cell

SEEDS = {500: [0, 1, 2], 1000: [0, 1, 2], 3000: [0]}
"""By number of latents: what grows with the number of seeds shows at smaller sizes."""
N_SAMPLES, K = 5000, 10
PROTOCOLS = ("paper", "strict")
COLUMNS = ("step", "part", "method", "protocol", "cell", "seeds", "asked_mb", "used_mb", "ratio")
MACHINE = ("--device", "cpu", "--threads", "2")
LARGE = 3000
"""From so many latents on only those steps are done that take minutes, and one seed."""

SCORED = ("linear_probe", "sae_topk")
"""Scored, one at a time: codes in double precision, and a method with a dictionary."""
N_RECORDS = 51
"""Records that the paper's budget of epochs makes."""
LEARNING = {"n_iter": 10, "tolerance": 1e9, "min_rounds": 0}
"""At rest after two rounds; records of the others are made all the same."""
TINY: Mapping[str, Mapping[str, Any]] = {
    "dl_fista": LEARNING,
    "dl_lista": {"epochs": 1},
    "dl_scaled": {"tolerance": 1e9, "anneal_rounds": 2, "replace_rounds": 0},
    "fista_oracle": {"n_iter": 10},
    "frozen_decoder": {"n_iter": 10},
    "lambda_sensitivity": {"n_iter": 10},
    "lista_oracle": {"epochs": 1},
    "random_dictionary": {"n_iter": 10},
    "softplus_adam": {"max_steps": 20},
    "warm_start_decoder": LEARNING,
    "warm_start_encoder": {"counts": list(range(10))},
}
"""Settings by method or surgery, autoencoders aside."""

LIGHT = ("simulate", "renew", "tabulate")
"""Steps that need little beside the interpreter."""
PRELOADED = ["torch", "numba", "scipy.stats", "sklearn.linear_model", "sae_surgery.steps.operate"]
"""What all others import, which takes longer than many of them do: their processes are forked from
one that has it."""


@dataclass(frozen=True)
class Step:
    """One job, the run that it is of, and the command that does it."""

    job: Job
    run: Run
    command: Sequence[str]


class Chain:
    """All kinds of steps on one cell, in an order in which they can be done."""

    def __init__(self, cell: Cell, folder: Path, seeds: Sequence[int]) -> None:
        self.cell, self.folder = cell, folder
        self.runs = {protocol: run_of(cell, protocol, seeds) for protocol in PROTOCOLS}
        self.large = cell.n_latents >= LARGE
        self.methods = [each for each in methods.usual() if not self._is_left_out(each)]

    def steps(self) -> Iterator[Step]:
        """Yield the steps."""
        seeds = map(str, self.runs["paper"].seeds)
        drawn, renewed = (self._path(protocol, "data") for protocol in PROTOCOLS)
        cell = "--cell", self.cell.name, "--seeds", *seeds
        yield self._step("paper", "simulate", None, None, *cell, "--output", drawn)
        yield self._step("strict", "renew", None, None, "--data", drawn, "--output", renewed)
        # What is scored comes first, what takes longest last.
        for protocol in PROTOCOLS:
            for name in SCORED:
                yield from self._fitted(protocol, name)
            yield self._evaluated(protocol)
            yield self._tabulated(protocol)
        yield self._audited()
        for protocol in PROTOCOLS:
            for name in self.methods:
                if name not in SCORED and not (self.large and protocol == "strict"):
                    yield from self._fitted(protocol, name)
            for name in surgeries.available():
                yield from self._operated(protocol, name)

    def _fitted(self, protocol: str, name: str) -> Iterator[Step]:
        """Fit a method; where a protocol shares its model with another, infer codes by that."""
        anew = self.runs[protocol].fits_anew(name)
        if protocol == "paper" or anew:
            yield self._fit(protocol, name)
        if protocol == "strict":
            yield self._encode(name, "paper", "strict")
            if anew:
                yield self._encode(name, "strict", "paper")

    def _fit(self, protocol: str, name: str) -> Step:
        parent = methods.trait(name, "parent")
        options = ("--parent", self._model(protocol, parent)) if parent else ()
        settings = self._settings(protocol, name)
        files = "--model", self._model(protocol, name), "--codes", self._codes(protocol, name)
        source = "--method", name, "--data", self._path(protocol, "data"), *options
        return self._step(protocol, "fit", name, name, *source, *settings, *MACHINE, *files)

    def _encode(self, name: str, fitted: str, samples: str) -> Step:
        """Infer codes of a protocol's samples by the model that another protocol fits."""
        source = "--data", self._path(samples, "data"), "--model", self._model(fitted, name)
        output = self._crossed(fitted, samples, name)
        return self._step(samples, "encode", name, name, *source, *MACHINE, "--output", output)

    def _is_left_out(self, name: str) -> bool:
        """Return whether a method cannot run on the cell, or would take too long here."""
        slow = name in {"dl_lista", "lista_oracle"} and self.large
        return slow or is_skipped(self.cell, name, self.runs["paper"])

    def _operated(self, protocol: str, name: str) -> Iterator[Step]:
        """Do a surgery on one patient, and score it."""
        if self.large and protocol == "strict" and name != "support_recovery":
            return
        # Supports are fitted anew sample by sample: few active codes are quick.
        patient = "sae_topk" if name == "support_recovery" else "sae_relu"
        data, output = self._path(protocol, "data"), self._path(protocol, "operation", name)
        donor = surgeries.trait(name, "donor")
        options = ("--donor", self._model(protocol, donor)) if donor else ()
        model, codes = self._model(protocol, patient), self._codes(protocol, patient)
        yield self._step(
            protocol, "operate", name, patient, name, "--data", data, "--model", model,
            "--codes", codes, *options, *self._settings(protocol, name), *MACHINE,
            "--output", output,
        )  # fmt: skip
        yield self._step(
            protocol, "assess", name, None, "--data", data, "--operations", output,
            "--protocol", protocol, "--output", self._path(protocol, "metrics", name),
        )  # fmt: skip

    def _evaluated(self, protocol: str) -> Step:
        return self._step(
            protocol, "evaluate", None, None, "--data", self._path(protocol, "data"),
            "--codes", *(self._codes(protocol, name) for name in SCORED),
            "--models", *(self._model(protocol, name) for name in SCORED),
            "--protocol", protocol, "--output", self._path(protocol, "metrics", "evaluate"),
        )  # fmt: skip

    def _audited(self) -> Step:
        files = {
            "--models": [self._model("paper", name) for name in SCORED],
            "--codes": [self._codes("paper", name) for name in SCORED],
            "--fresh-codes": [self._crossed("paper", "strict", name) for name in SCORED],
            "--strict-models": [self._model("strict", name) for name in SCORED],
            "--strict-codes": [
                self._crossed("strict", "paper", name)
                if self.runs["strict"].fits_anew(name)
                else self._codes("paper", name)
                for name in SCORED
            ],
            "--fresh-strict-codes": [self._codes("strict", name) for name in SCORED],
        }
        lists = (part for option, paths in files.items() for part in (option, *paths))
        data = "--data", self._path("paper", "data"), "--fresh", self._path("strict", "data")
        output = self._path("strict", "metrics", "audit")
        return self._step("strict", "audit", None, None, *data, *lists, "--output", output)

    def _tabulated(self, protocol: str) -> Step:
        sweep = self.runs[protocol].sweep("latents") | {"methods": list(SCORED)}
        return self._step(
            protocol, "tabulate", None, None, "--sweep", json.dumps(sweep),
            "--metrics", self._path(protocol, "metrics", "evaluate"),
            "--output", self._path(protocol, "table"),
        )  # fmt: skip

    def _settings(self, protocol: str, name: str) -> tuple[str, str]:
        """Return the option with the settings of a method or surgery."""
        tiny = TINY.get(name, {})
        if name.startswith("sae_"):
            tiny = {"epochs": N_RECORDS, "record_every": 1}
        if name == "sae_relu":
            # The patient of most surgeries: its codes are as dense as those of a long training.
            tiny["penalty"] = 0.0
        return "--settings", json.dumps(self.runs[protocol].settings_of(name) | tiny)

    def _model(self, protocol: str, name: str) -> str:
        """Return the model that a protocol scores."""
        shared = not self.runs[protocol].fits_anew(name)
        return self._path("paper" if shared else protocol, "model", name)

    def _codes(self, protocol: str, name: str) -> str:
        """Return the codes of a protocol's samples by the model that it scores."""
        if protocol == "strict" and not self.runs["strict"].fits_anew(name):
            return self._crossed("paper", "strict", name)
        return self._path(protocol, "codes", name)

    def _crossed(self, fitted: str, samples: str, name: str) -> str:
        return self._path(samples, f"codes-by-{fitted}", name)

    def _path(self, protocol: str, *parts: str) -> str:
        return str(self.folder / f"{'-'.join([protocol, *parts])}.nc")

    def _step(
        self, protocol: str, step: str, part: str | None, method: str | None, *arguments: str
    ) -> Step:
        job = Job(step, self.cell, part, method, fresh=protocol == "strict")
        return Step(job, self.runs[protocol], (step, *arguments))


def run_of(cell: Cell, protocol: str, seeds: Sequence[int]) -> Run:
    """Return a run of all methods and surgeries on a cell."""
    sweep = {"n_latents": [cell.n_latents], "k": [cell.k], "n_samples": [cell.n_samples]}
    return config.load(
        {
            "protocol": protocol,
            "seeds": list(seeds),
            "device": "cpu",
            "sweeps": {"latents": sweep},
            "surgeries": {"cells_of": dict.fromkeys(surgeries.available(), "latents")},
        }
    )


def measure(step: Step) -> dict[str, Any]:
    """Do a step in a process of its own and return what it asked for and what it used."""
    context = get_context("fork" if step.job.step in LIGHT else "forkserver")
    peak = context.SimpleQueue()
    process = context.Process(target=_report_peak, args=(step.command, peak))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"failed with {process.exitcode}: sae-surgery {' '.join(step.command)}")
    used = peak.get()
    asked = cost(step.job, step.run).mem_mb
    return {
        "step": step.job.step,
        "part": step.job.part or "",
        "method": step.job.method or "",
        "protocol": step.run.protocol,
        "cell": step.job.cell.name,
        "seeds": len(step.run.seeds),
        "asked_mb": asked,
        "used_mb": round(used),
        "ratio": round(asked / used, 2),
    }


def _report_peak(command: Sequence[str], peak: SimpleQueue) -> None:
    """Do a step and put the peak of resident memory, in megabytes, into a queue."""
    cli.main(command)
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak.put(kibibytes * 1024 / 1e6)


def main() -> None:
    """Measure all steps and write the table, a line at a time."""
    parser = argparse.ArgumentParser(prog="benchmarks.memory_of_steps", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--output", type=Path, default=Path("docs/memory.csv"))
    options = parser.parse_args()
    get_context("forkserver").set_forkserver_preload(PRELOADED)
    with options.output.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        for n_latents in options.sizes:
            cell = Cell(n_latents, K, compressed_sensing_dim(n_latents, K), N_SAMPLES)
            with tempfile.TemporaryDirectory() as folder:
                for step in Chain(cell, Path(folder), SEEDS[n_latents]).steps():
                    row = measure(step)
                    table.writerow(row)
                    file.flush()
                    print(*row.values(), file=sys.stderr)


if __name__ == "__main__":
    main()
