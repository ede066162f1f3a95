"""The command behind `make bench`: run comparisons and write what they found."""

import argparse
import importlib
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.harness import Row, race

COMPARISONS = (
    "inference_exact",
    "inference_warm",
    "inference_fista",
    "inference_wide",
    "dictionary_rounds",
    "dictionary_learning",
    "dictionary_scaling",
    "fair_autoencoders",
    "sae_training",
    "evaluation",
    "memory",
)
"""Modules with a function `comparisons(quick)`, in the order in which they run."""
CONFIGURED = ("longer_training", "wider_kernels")
"""Comparisons of before that are configurations of the workflow now."""
REPEATS, PATIENCE = 7, 6.0
QUICK_REPEATS, QUICK_PATIENCE = 3, 2.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the comparisons that were asked for and write page, table and figures."""
    options = _parser().parse_args(arguments)
    names = [name for name in COMPARISONS if not options.only or name.startswith(options.only)]
    # The peers' progress bars and logs would be part of what is timed.
    os.environ["TQDM_DISABLE"] = "1"
    logging.disable(logging.WARNING)
    repeats, patience = (QUICK_REPEATS, QUICK_PATIENCE) if options.quick else (REPEATS, PATIENCE)
    rows: list[Row] = []
    start = time.perf_counter()
    for name in names:
        for comparison in importlib.import_module(f"benchmarks.{name}").comparisons(options.quick):
            passed = time.perf_counter() - start
            print(f"[{passed:5.0f} s] {comparison.name}: {comparison.size}", file=sys.stderr)
            rows += race(comparison, repeats, patience)
    stem = "-".join(["benchmarks", *([options.only] if options.only else []),
                     *(["quick"] if options.quick else [])])  # fmt: skip
    report.write_table(options.output / f"{stem}.nc", rows)
    report.write_page(options.output / f"{stem}.md", rows)
    report.write_figures(options.output / stem, rows)
    print(f"==> {options.output / stem}.md, .nc, and figures in {options.output / stem}/")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument(
        "--only", default="", type=_beginning, help=f"beginning of a name: {', '.join(COMPARISONS)}"
    )
    parser.add_argument("--quick", action="store_true", help="smaller sizes, fewer repeats")
    parser.add_argument("--output", type=Path, default=Path("results"), help="folder to write to")
    return parser


def _beginning(text: str) -> str:
    moved = [name for name in CONFIGURED if text and name.startswith(text)]
    if moved:
        commands = "; ".join(f"snakemake tables --configfile config/{name}.yaml" for name in moved)
        raise argparse.ArgumentTypeError(f"{', '.join(moved)} is no benchmark any more: {commands}")
    if not any(name.startswith(text) for name in COMPARISONS):
        allowed = ", ".join(COMPARISONS)
        raise argparse.ArgumentTypeError(f"no comparison begins with {text!r}; there are {allowed}")
    return text


if __name__ == "__main__":
    main()
