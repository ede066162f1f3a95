"""The command `sae-surgery`: one table of subcommands, which are the steps of the workflow.

The table only declares arguments; the steps, with their heavy imports, are loaded when one runs. A
new step is a function of its own name in `steps/<name>.py`, and an entry of `COMMANDS`.
"""

import argparse
import io
import os
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from sae_surgery import __version__, examination, figures, surgeries
from sae_surgery.errors import SurgeryError
from sae_surgery.pages import claims
from sae_surgery.steps import _arguments as types
from sae_surgery.steps._arguments import (
    Argument,
    Command,
    OneOf,
    argument,
    choice,
    file,
    files,
    optional_file,
    output,
    settings,
    some_files,
    tables,
    written,
)

EXIT_USER_ERROR = 2

DATA = file("--data", "data_path", "data file of the cell")
THREADS = argument(
    "--threads",
    type=types.threads,
    default=os.cpu_count(),
    help="processor threads (default: all)",
)
MACHINE = (
    argument(
        "--device",
        dest="device_name",
        default="auto",
        help="auto (CUDA where there is one), cpu or cuda (default: auto)",
    ),
    THREADS,
)
CONFIG = argument(
    "config_path",
    metavar="CONFIG",
    type=types.existing_file,
    nargs="?",
    default=Path("config/quick.yaml"),
    help="configuration file (default: config/quick.yaml)",
)
PROTOCOL = argument(
    "--protocol",
    choices=["paper", "strict"],
    default="paper",
    help="way of measuring (default: paper)",
)
OUTPUT_DIR = argument("--output-dir", type=types.folder, required=True, help="folder to write to")

ACTIVATIONS = argument(
    "--activations", type=types.path, required=True, help="file or folder of activations"
)
OOD = argument("--ood", type=types.path, help="activations out of distribution")
LABELS = optional_file("--labels", "labels", ".npy file of a label for each row")
SEED = argument("--seed", type=types.seed, default=0, help="seed (default: 0)")
SAE = argument(
    "--sae", dest="sae_path", type=types.path, required=True, help="file or folder of the SAE"
)
FORMAT = argument("--format", help="library that wrote the SAE (default: recognised)")
OVERRULE = argument(
    "--overrule", nargs="+", default=[], help="faults of the check on loading to pass over"
)
ROWS = file("--rows", "rows_path", "file of `sae-surgery sample`")
READING = file("--reading", "reading_path", "file of `sae-surgery load`")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; exit with 2 and one line on what a user can put right."""
    _escape_what_cannot_be_printed()
    options = vars(_parser().parse_args(arguments))
    command = options.pop("command")
    try:
        _require_apart(options, command)
        _run(command, options)
    except SurgeryError as error:
        print(f"sae-surgery: {error}", file=sys.stderr)
        sys.exit(EXIT_USER_ERROR)


def _escape_what_cannot_be_printed() -> None:
    """Print characters that the locale's encoding lacks as escapes, which stderr does anyway."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _run(command: Command, options: dict[str, Any]) -> None:
    """Import a step and call it."""
    began = time.time()
    function = getattr(import_module(f"sae_surgery.steps.{command.name}"), command.name)
    if not command.recorded:
        function(**options)
        return
    from sae_surgery.record.jobs import record

    record(command.name, function, options, began)


def _require_apart(options: Mapping[str, Any], command: Command) -> None:
    """Raise SurgeryError if a file that is to be written is named by another option, too."""
    written_to = _written_by(command)
    named: dict[str, str] = {}
    for option in sorted(options, key=lambda name: name in written_to):
        values = options[option] if isinstance(options[option], list) else [options[option]]
        for path in (value for value in values if isinstance(value, Path)):
            real = os.path.realpath(path)
            if option in written_to and real in named:
                raise SurgeryError(f"{path}: cannot be written, another option names this file")
            named[real] = option


def _written_by(command: Command) -> set[str]:
    """Return the names of the options that a command writes to."""
    return {
        each.options.get("dest", each.flags[0].lstrip("-"))
        for each in command.arguments
        if isinstance(each, Argument) and each.options.get("type") is types.new_file
    }


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USER_ERROR, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="sae-surgery",
        description="Sparse coding against sparse autoencoders on known causes. Each subcommand is "
        "a step of the workflow: data → models and codes → surgeries → metrics → tables → "
        "figures.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    steps = parser.add_subparsers(metavar="STEP", required=True, parser_class=_Parser)
    for command in COMMANDS:
        summary = command.text.partition(".")[0]
        subparser = steps.add_parser(command.name, help=summary, description=command.text)
        subparser.set_defaults(command=command)
        for each in command.arguments:
            _add(subparser, each)
    return parser


def _add(parser: Any, each: Argument | OneOf) -> None:
    if isinstance(each, Argument):
        parser.add_argument(*each.flags, **each.options)
        return
    group = parser.add_mutually_exclusive_group(required=True)
    for option in each:
        _add(group, option)


COMMANDS = (
    Command(
        "simulate",
        "Draw the data of one problem. All seeds go to one NetCDF file; those of the paper's "
        "problem are bit-equal to the published data of the same seed: dictionary, support and "
        "magnitudes of train, val and ood samples.",
        (
            OneOf(
                (
                    argument(
                        "--cell",
                        type=types.cell,
                        help="cell of the paper's problem as "
                        "n<latents>_k<active>_m<observed>_s<samples>, such as n100_k10_m47_s5000",
                    ),
                    argument(
                        "--problem", dest="kind", help="problem; `sae-surgery problems` lists them"
                    ),
                )
            ),
            argument(
                "--settings", type=types.json_object, help="all settings of the problem, as JSON"
            ),
            argument(
                "--seeds",
                type=types.seed,
                nargs="+",
                action=types.Distinct,
                default=[0, 1, 2],
                help="seeds (default: 0 1 2)",
            ),
            output(),
        ),
    ),
    Command(
        "renew",
        "Draw fresh samples of a cell. The new data file has the dictionary and the train samples "
        "of the old one, and val and ood samples that nothing was learned from, for the strict "
        "protocol.",
        (DATA, output()),
    ),
    Command(
        "fit",
        "Fit one method on one cell. All seeds are fitted as one batch; the model and the codes of "
        "the val and ood samples are written.",
        (
            argument(
                "--method",
                dest="name",
                required=True,
                help="method; `sae-surgery methods` lists them",
            ),
            argument(
                "--name",
                dest="model_name",
                help="name of the model, if it is not that of the method: files and tables have it "
                "by this",
            ),
            DATA,
            optional_file(
                "--parent",
                "parent_path",
                "model file that the method starts from (dl_lista: the model of dl_fista)",
            ),
            settings("'{\"epochs\": 100}'"),
            *MACHINE,
            written("--model", "model file to write", "model_path"),
            written("--codes", "codes file to write", "codes_path"),
        ),
    ),
    Command(
        "encode",
        "Infer codes by a fitted model. The val and ood samples may be those of another data file "
        "with the same dictionary.",
        (DATA, file("--model", "model_path", "model file"), *MACHINE, output()),
    ),
    Command(
        "operate",
        "Do one surgery on one model file. A part of the fitted model is exchanged for a classical "
        "one, and codes are inferred again under each of the surgery's conditions; `sae-surgery "
        "assess` scores them.",
        (
            choice("SURGERY", surgeries.available()),
            DATA,
            file("--model", "model_path", "model file, the patient"),
            file("--codes", "codes_path", "its codes file"),
            optional_file(
                "--donor",
                "donor_path",
                "model file of the method that a part is taken from, if the surgery takes one",
            ),
            settings("'{\"lam\": 0.05}'"),
            *MACHINE,
            output(),
        ),
    ),
    Command(
        "evaluate",
        "Score the codes of methods on one cell. Metrics come from the saved codes alone; the "
        "models are read for their dictionaries.",
        (
            DATA,
            files("--codes", "codes_paths", "codes files"),
            files(
                "--models", "model_paths", "the model files that made the codes, in the same order"
            ),
            PROTOCOL,
            output(),
        ),
    ),
    Command(
        "assess",
        "Score what a surgery yielded on one cell. The metrics are those of `sae-surgery "
        "evaluate`, for each patient, condition and step of the surgery.",
        (
            DATA,
            files(
                "--operations",
                "operation_paths",
                "files of `sae-surgery operate`, all of one surgery",
            ),
            PROTOCOL,
            output(),
        ),
    ),
    Command(
        "audit",
        "Correct the published scores on one cell, one choice of their making at a time. What is "
        "corrected is how scores are computed, the samples they are of, what models learned from "
        "and how they infer; and all of it together.",
        (
            DATA,
            file("--fresh", "fresh_path", "file of `sae-surgery renew`"),
            *(
                files(f"--{name}", dest, f"{text}, a file a method in the same order")
                for name, dest, text in (
                    ("models", "model_paths", "published models"),
                    ("codes", "codes_paths", "their codes of the published samples"),
                    ("fresh-codes", "fresh_codes_paths", "their codes of the fresh samples"),
                    ("strict-models", "strict_model_paths", "models of the strict protocol"),
                    ("strict-codes", "strict_codes_paths", "their codes of the published samples"),
                    (
                        "fresh-strict-codes",
                        "fresh_strict_codes_paths",
                        "their codes of the fresh samples",
                    ),
                )
            ),
            output(),
        ),
    ),
    Command(
        "tabulate",
        "Collect the metrics of an experiment's cells into one table. It lies over methods, sweep "
        "variables and seeds.",
        (
            argument(
                "--sweep",
                type=types.sweep,
                required=True,
                help="what the table holds, as JSON with experiment, run, protocol, over, methods, "
                "seeds, cells (a list of objects: the cell's name and its value of each sweep "
                "variable) and left_out (by method, the cells that are not to have it)",
            ),
            files("--metrics", "metrics_paths", "metrics files of the cells"),
            output(),
        ),
    ),
    Command(
        "draw",
        "Draw a figure from tables. Writes PDF and PNG, and the numbers behind them as CSV.",
        (
            choice("FIGURE", figures.available()),
            tables("table files"),
            OUTPUT_DIR,
            argument(
                "--plotting",
                dest="given",
                type=types.json_object,
                default={},
                help="how it looks, as the configuration's key `plotting`, in JSON",
            ),
        ),
    ),
    Command(
        "verdict",
        "Judge each SAE from the tables of its surgeries. A page says how much of its distance to "
        "the oracle each of its parts is to blame for, and sentences say what that means.",
        (tables("tables of frozen_decoder and support_recovery"), OUTPUT_DIR),
    ),
    Command(
        "compare",
        "Compare the numbers of a run with the published ones. A page says which agree and which "
        "differ, by how much, by which test, and why they may.",
        (
            tables("tables of experiments that something was published on"),
            OUTPUT_DIR,
            argument(
                "--published",
                dest="published_folder",
                metavar="FOLDER",
                type=types.folder,
                help="the authors' released results, to compare seed by seed (default: means and "
                "standard deviations, which come with the package)",
            ),
            settings('\'{"alpha": 0.01, "mcc": {"margin": 0.03}}\''),
        ),
    ),
    Command(
        "claims",
        "Judge the paper's claims on the tables of a run. A page says which hold, which do not and "
        "which cannot be told, with the numbers that decide.",
        (
            tables("table files"),
            optional_file(
                "--claims",
                "list_path",
                "list of claims, as YAML (default: the paper's)",
                default=claims.PAPER,
            ),
            OUTPUT_DIR,
        ),
    ),
    Command(
        "numbers",
        "Collect every number that the manuscript may quote. Each has a key, its value, its text, "
        "and the file that it is from, whose digest is kept.",
        (
            tables("table files"),
            *(
                optional_file(f"--{page}", f"{page}_path", f"{page}.csv, if any")
                for page in ("claims", "verdict", "comparison")
            ),
            output("JSON"),
        ),
    ),
    Command(
        "typeset",
        "Typeset the manuscript. Its numbers and figures are those of one run; one that no rule "
        "makes, or that is stale, is an error.",
        (
            argument("--source", type=types.existing_file, required=True, help="Typst file"),
            file(
                "--numbers",
                "numbers_path",
                "file of `sae-surgery numbers`, beside which lies the folder of figures",
            ),
            output("PDF"),
        ),
    ),
    Command(
        "plan",
        "Print what a run will cost. For each step: jobs, the share that is done already, GPU and "
        "CPU hours, the largest request for memory, and disk; nothing is submitted.",
        (CONFIG,),
        recorded=False,
    ),
    Command(
        "index",
        "Write the page that leads to all that a run has. It is results/<run>/index.html, with the "
        "verdict, claims, comparison, figures, manifest and timeline, as far as there are any.",
        (argument("run_folder", metavar="FOLDER", type=types.folder, help="results/<run>"),),
    ),
    Command(
        "report",
        "Report how a run went. Writes its manifest (source, configuration, versions, hosts, every "
        "job's times and what it waited for) and its timeline, from the logs of its steps, and the "
        "run's index.",
        (
            argument("run_folder", metavar="FOLDER", type=types.folder, help="results/<run>"),
            argument(
                "--config",
                type=types.json_object,
                default={},
                help="configuration to keep with it, as JSON",
            ),
        ),
        recorded=False,
    ),
    Command(
        "archive",
        "Pack the results of a finished run. Unpacked in a clone of the same commit, the archive "
        "leaves Snakemake nothing to do: it holds all files with their times, Snakemake's records "
        "of them, and the configuration.",
        (
            CONFIG,
            written(
                "--output",
                "archive to write (default: <run>.tar.gz in this folder)",
                required=False,
            ),
        ),
        recorded=False,
    ),
    Command(
        "examine",
        "Examine trained SAEs on activations. Is the encoder at fault or the decoder? Writes a "
        "configuration, results/<name>/examine.yaml, prints it, and lets Snakemake compute it; "
        "results/<name>/examine/page.html answers. What follows `--` goes to Snakemake.",
        (
            argument(
                "--sae",
                type=types.path,
                nargs="+",
                required=True,
                help="file or folder of a trained SAE; several are compared",
            ),
            argument(
                "--activations",
                type=types.path,
                nargs="+",
                required=True,
                help="file or folder of activations (row, dimension); one for all, or one each",
            ),
            OOD,
            LABELS,
            argument("--name", help="name of the run (default: after the SAE)"),
            FORMAT,
            OVERRULE,
            argument("--samples", type=types.count, help="rows that codes are solved for"),
            argument("--seeds", type=types.seed, nargs="+", action=types.Distinct, help="seeds"),
            argument(
                "--questions",
                nargs="+",
                help=f"only these of {', '.join(examination.available())}",
            ),
            argument(
                "--no-rivals", action="store_true", help="learn no dictionaries to compare with"
            ),
            argument("--dry-run", action="store_true", help="show what would run"),
            argument("--profile", help="profile of Snakemake, such as slurm"),
            argument("snakemake", nargs="*", metavar="-- ARGUMENT", help="for Snakemake"),
        ),
        recorded=False,
    ),
    Command(
        "sample",
        "Draw rows of activations for an examination. They are split into rows to learn from and "
        "held-out ones, and looked through for repetitions.",
        (
            ACTIVATIONS,
            OOD,
            LABELS,
            argument("--samples", type=types.count, default=20_000, help="rows (default: 20000)"),
            argument("--held-out", type=float, default=0.25, help="share (default: 0.25)"),
            SEED,
            output(),
        ),
    ),
    Command(
        "load",
        "Read a trained SAE, check that it was read rightly, and encode rows by it. Faults that "
        "--overrule does not name are errors.",
        (
            SAE,
            FORMAT,
            ROWS,
            ACTIVATIONS,
            argument("--counted", type=types.count, default=100_000, help="rows to count over"),
            SEED,
            OVERRULE,
            THREADS,
            output(),
        ),
    ),
    Command(
        "learn",
        "Learn a dictionary beside a trained SAE. It has the decoder's size, and is learned on the "
        "same rows at the encoder's mean number of active atoms.",
        (
            ROWS,
            READING,
            SEED,
            argument("--started", action="store_true", help="start from the decoder"),
            THREADS,
            output(),
        ),
    ),
    Command(
        "ask",
        "Answer one question about a trained SAE on activations. docs/examine.md says what each "
        "answer means.",
        (
            choice("QUESTION", examination.available()),
            ROWS,
            READING,
            some_files("--learned", "learned_paths", "learned dictionaries"),
            some_files("--beside", "beside_paths", "other SAEs' readings"),
            argument("--sae", dest="sae_path", type=types.path, help="the SAE, for its encoder"),
            FORMAT,
            SEED,
            THREADS,
            output(),
        ),
    ),
    Command(
        "present",
        "Write the page on trained SAEs. HTML in one file, the same as Markdown, and all numbers "
        "as CSV, from the files of `sae-surgery ask`.",
        (
            argument("--run", dest="run_name", required=True, help="name of the run"),
            files("--rows", "rows_paths", "files of rows"),
            files("--readings", "readings_paths", "files of readings"),
            files("--answers", "answers_paths", "files of answers"),
            OUTPUT_DIR,
        ),
    ),
    Command("methods", "List the methods. Name, family and title of each.", (), recorded=False),
    Command(
        "problems",
        "List the problems. Name of each, what is known of its truth, and the variables that a "
        "sweep may have, with their defaults.",
        (),
        recorded=False,
    ),
)
"""All subcommands, in the order of their help."""
