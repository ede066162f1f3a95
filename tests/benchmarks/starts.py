"""`python -m benchmarks.starts`: processor seconds that steps take beside their own work.

The commands of a small run, as Snakemake would call them, are called one after the other: each in a
process of its own, then all with a server to fork from. What a command takes, with the processes
below it, less what its record says of the step's own work where libraries are loaded already, is
its start. Compiled loops have to be there: the first run of a new clone measures their compiling.
"""

import os
import re
import resource
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import yaml

from sae_surgery.forks.client import VARIABLE
from sae_surgery.forks.start import start
from sae_surgery.machine import launch
from sae_surgery.record.jobs import of_log

ROOT = Path(__file__).parents[2]
SWEEP = {"n_latents": [50], "k": [10], "n_samples": [200]}
TRAINING = ("sae_relu", "sae_topk", "sae_jumprelu", "sae_mp", "dl_lista", "lista_oracle")
LEARNING = ("dl_fista", "warm_start_decoder")
SMOKE = {
    "run": "smoke",
    "seeds": [0],
    "device": "cpu",
    "sweeps": dict.fromkeys(("latents", "samples", "sparsity"), SWEEP),
    "surgeries": {"cells_of": "latents"},
    "settings": {
        **{name: {"epochs": 1} for name in TRAINING},
        **{name: {"max_rounds": 3} for name in LEARNING},
        "softplus_adam": {"max_steps": 20},
        "dl_scaled": {"max_rounds": 12, "anneal_rounds": 2, "replace_rounds": 0},
    },
}
"""All methods, surgeries and figures on one cell, with tiny budgets."""
LIBRARIES = ("OMP", "GOTO", "OPENBLAS", "MKL", "NUMEXPR")
THREADS = {f"{name}_NUM_THREADS": "1" for name in LIBRARIES} | {"VECLIB_MAXIMUM_THREADS": "1"}


def used() -> float:
    """Return the processor seconds of all processes that were started from here and have ended."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def commands(folder: Path) -> list[str]:
    """Return the commands of a run, in an order in which they can be called."""
    (folder / "smoke.yaml").write_text(yaml.safe_dump(SMOKE), encoding="utf-8")
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    plan = [*snakemake, "--dry-run", "--printshellcmds", "--configfile", "smoke.yaml"]
    said = subprocess.run(plan, cwd=folder, capture_output=True, encoding="utf-8", check=True)
    return re.findall(r"^Shell command: (python .*)$", said.stdout + said.stderr, re.MULTILINE)


def call(command: str, folder: Path, environment: Mapping[str, str]) -> tuple[str, float]:
    """Call a command; return its log, and the processor seconds of what has ended by then."""
    log = folder / command.rpartition("2> ")[2]
    log.parent.mkdir(parents=True, exist_ok=True)
    before = used()
    subprocess.run(["bash", "-c", command], cwd=folder, env=environment, check=True)
    return str(log), used() - before


def main() -> None:
    """Print processor seconds by kind of step."""
    os.environ.pop(VARIABLE, None)
    launch.isolate()
    os.environ.update(THREADS)
    took: dict[str, dict[str, float]] = {}
    own: dict[str, list[float]] = defaultdict(list)
    for way in ("alone", "forked"):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            planned = commands(folder)
            before = used()
            server = start(len(planned)) if way == "forked" else None
            for command in planned:
                print(f"{way}: {command[:90]}", file=sys.stderr)
                log, seconds = call(command, folder, os.environ)
                step = command.split()[3]
                took.setdefault(step, {"alone": 0.0, "client": 0.0})
                took[step]["client" if server else "alone"] += seconds
                if server:
                    record = of_log(Path(log))
                    own[step].append(record["processor_seconds"])
            if server:
                server.stdin.close()
                server.wait()
            total = used() - before
            print(f"{way}: {len(planned)} commands, {total:.1f} processor seconds in all")
            took.setdefault("all", {})[way] = total
    work = sum(map(sum, own.values()))
    print(f"their own work, libraries loaded: {work:.1f}")
    for way in ("alone", "forked"):
        print(f"starts, {way}: {took['all'][way] - work:.1f}")
    print("step         number  a start alone")
    for step, seconds in took.items():
        if step in own:
            n_steps = len(own[step])
            print(f"{step:12} {n_steps:6}  {(seconds['alone'] - sum(own[step])) / n_steps:13.2f}")


if __name__ == "__main__":
    main()
