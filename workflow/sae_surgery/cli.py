"""The command `sae-surgery`: one subcommand a step of the workflow.

This file only declares arguments; the steps, with their heavy imports, are loaded when one runs.
"""

import argparse
import io
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from sae_surgery import __version__, examination, figures, methods, problems, surgeries
from sae_surgery.errors import SurgeryError
from sae_surgery.pages import claims
from sae_surgery.plan import documents, schemas
from sae_surgery.problems.paper import Cell

EXIT_USER_ERROR = 2
MOST_THREADS = 1024
"""More than any processor has that this was tried on."""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USER_ERROR, f"{self.prog}: {message} (see {self.prog} --help)\n")


class _Distinct(argparse.Action):
    """Stores a list of which no entry is given twice."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        twice = {str(value) for index, value in enumerate(values) if value in values[:index]}
        if twice:
            raise argparse.ArgumentError(self, f"{', '.join(sorted(twice))} is given twice")
        setattr(namespace, self.dest, values)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; exit with 2 and one line on what a user can put right."""
    _escape_what_cannot_be_printed()
    options = vars(_parser().parse_args(arguments))
    run, written = options.pop("run"), options.pop("written", ())
    try:
        _require_apart(options, written)
        run(**options)
    except SurgeryError as error:
        print(f"sae-surgery: {error}", file=sys.stderr)
        sys.exit(EXIT_USER_ERROR)


def _escape_what_cannot_be_printed() -> None:
    """Print characters that the locale's encoding lacks as escapes, which stderr does anyway."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="sae-surgery",
        description="Sparse coding against sparse autoencoders on known causes. Each subcommand is "
        "a step of the workflow: data → models and codes → surgeries → metrics → tables → "
        "figures.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    steps = parser.add_subparsers(metavar="STEP", required=True, parser_class=_Parser)
    for add in STEPS:
        add(steps)
    return parser


def _add(steps: Any, run: Callable[..., None], name: str, text: str) -> argparse.ArgumentParser:
    """Add a subcommand whose help and description are `text`."""
    summary = text.partition(".")[0]
    parser = steps.add_parser(name, help=summary, description=text)
    parser.set_defaults(run=run)
    return parser


def _simulate(steps: Any) -> None:
    parser = _add(
        steps,
        _run("simulate"),
        "simulate",
        "Draw the data of one problem. All seeds go to one NetCDF file; those of the paper's "
        "problem are bit-equal to the published data of the same seed: dictionary, support and "
        "magnitudes of train, val and ood samples.",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--cell",
        type=_cell,
        help="cell of the paper's problem as n<latents>_k<active>_m<observed>_s<samples>, "
        "such as n100_k10_m47_s5000",
    )
    which.add_argument("--problem", dest="kind", help="problem; `sae-surgery problems` lists them")
    parser.add_argument(
        "--settings",
        type=_json_object,
        help="all settings of the problem, as JSON",
    )
    parser.add_argument(
        "--seeds",
        type=_seed,
        nargs="+",
        action=_Distinct,
        default=[0, 1, 2],
        help="seeds (default: 0 1 2)",
    )
    _add_output(parser)


def _fit(steps: Any) -> None:
    parser = _add(
        steps,
        _run("fit"),
        "fit",
        "Fit one method on one cell. All seeds are fitted as one batch; the model and the codes of "
        "the val and ood samples are written.",
    )
    parser.add_argument(
        "--method", dest="name", required=True, help="method; `sae-surgery methods` lists them"
    )
    parser.add_argument(
        "--name",
        dest="model_name",
        help="name of the model, if it is not that of the method: files and tables have it by this",
    )
    _add_data(parser)
    parser.add_argument(
        "--parent",
        dest="parent_path",
        type=_file,
        help="model file that the method starts from (dl_lista: the model of dl_fista)",
    )
    _add_settings(parser, "'{\"epochs\": 100}'")
    _add_machine(parser)
    parser.add_argument(
        "--model", dest="model_path", type=_new_file, required=True, help="model file to write"
    )
    parser.add_argument(
        "--codes", dest="codes_path", type=_new_file, required=True, help="codes file to write"
    )
    parser.set_defaults(written=("model_path", "codes_path"))


def _renew(steps: Any) -> None:
    parser = _add(
        steps,
        _run("renew"),
        "renew",
        "Draw fresh samples of a cell. The new data file has the dictionary and the train samples "
        "of the old one, and val and ood samples that nothing was learned from, for the strict "
        "protocol.",
    )
    _add_data(parser)
    _add_output(parser)


def _encode(steps: Any) -> None:
    parser = _add(
        steps,
        _run("encode"),
        "encode",
        "Infer codes by a fitted model. The val and ood samples may be those of another data file "
        "with the same dictionary.",
    )
    _add_data(parser)
    parser.add_argument("--model", dest="model_path", type=_file, required=True, help="model file")
    _add_machine(parser)
    _add_output(parser)


def _operate(steps: Any) -> None:
    parser = _add(
        steps,
        _run("operate"),
        "operate",
        "Do one surgery on one model file. A part of the fitted model is exchanged for a classical "
        "one, and codes are inferred again under each of the surgery's conditions; `sae-surgery "
        "assess` scores them.",
    )
    parser.add_argument(
        "name",
        metavar="SURGERY",
        choices=surgeries.available(),
        help=", ".join(surgeries.available()),
    )
    _add_data(parser)
    parser.add_argument(
        "--model", dest="model_path", type=_file, required=True, help="model file, the patient"
    )
    parser.add_argument(
        "--codes", dest="codes_path", type=_file, required=True, help="its codes file"
    )
    parser.add_argument(
        "--donor",
        dest="donor_path",
        type=_file,
        help="model file of the method that a part is taken from, if the surgery takes one",
    )
    _add_settings(parser, "'{\"lam\": 0.05}'")
    _add_machine(parser)
    _add_output(parser)


def _assess(steps: Any) -> None:
    parser = _add(
        steps,
        _run("assess"),
        "assess",
        "Score what a surgery yielded on one cell. The metrics are those of `sae-surgery "
        "evaluate`, for each patient, condition and step of the surgery.",
    )
    _add_data(parser)
    parser.add_argument(
        "--operations",
        dest="operation_paths",
        type=_file,
        nargs="+",
        action=_Distinct,
        required=True,
        help="files of `sae-surgery operate`, all of one surgery",
    )
    _add_protocol(parser)
    _add_output(parser)


def _evaluate(steps: Any) -> None:
    parser = _add(
        steps,
        _run("evaluate"),
        "evaluate",
        "Score the codes of methods on one cell. Metrics come from the saved codes alone; the "
        "models are read for their dictionaries.",
    )
    _add_data(parser)
    parser.add_argument(
        "--codes",
        dest="codes_paths",
        type=_file,
        nargs="+",
        action=_Distinct,
        required=True,
        help="codes files",
    )
    parser.add_argument(
        "--models",
        dest="model_paths",
        type=_file,
        nargs="+",
        action=_Distinct,
        required=True,
        help="the model files that made the codes, in the same order",
    )
    _add_protocol(parser)
    _add_output(parser)


def _audit(steps: Any) -> None:
    parser = _add(
        steps,
        _run("audit"),
        "audit",
        "Correct the published scores on one cell, one choice of their making at a time. What is "
        "corrected is how scores are computed, the samples they are of, what models learned from "
        "and how they infer; and all of it together.",
    )
    _add_data(parser)
    parser.add_argument(
        "--fresh", dest="fresh_path", type=_file, required=True, help="file of `sae-surgery renew`"
    )
    for option, destination, text in (
        ("--models", "model_paths", "published models"),
        ("--codes", "codes_paths", "their codes of the published samples"),
        ("--fresh-codes", "fresh_codes_paths", "their codes of the fresh samples"),
        ("--strict-models", "strict_model_paths", "models of the strict protocol"),
        ("--strict-codes", "strict_codes_paths", "their codes of the published samples"),
        ("--fresh-strict-codes", "fresh_strict_codes_paths", "their codes of the fresh samples"),
    ):
        parser.add_argument(
            option,
            dest=destination,
            type=_file,
            nargs="+",
            action=_Distinct,
            required=True,
            help=f"{text}, a file a method in the same order",
        )
    _add_output(parser)


def _tabulate(steps: Any) -> None:
    parser = _add(
        steps,
        _run("tabulate"),
        "tabulate",
        "Collect the metrics of an experiment's cells into one table. It lies over methods, sweep "
        "variables and seeds.",
    )
    parser.add_argument(
        "--sweep",
        type=_sweep,
        required=True,
        help="what the table holds, as JSON with experiment, run, protocol, over, methods, seeds, "
        "cells (a list of objects: the cell's name and its value of each sweep variable) and "
        "left_out (by method, the cells that are not to have it)",
    )
    parser.add_argument(
        "--metrics",
        dest="metrics_paths",
        type=_file,
        nargs="+",
        action=_Distinct,
        required=True,
        help="metrics files of the cells",
    )
    _add_output(parser)


def _draw(steps: Any) -> None:
    parser = _add(
        steps,
        _run("draw"),
        "draw",
        "Draw a figure from tables. Writes PDF and PNG, and the numbers behind them as CSV.",
    )
    parser.add_argument(
        "name", metavar="FIGURE", choices=figures.available(), help=", ".join(figures.available())
    )
    _add_tables(parser, "table files")
    _add_output_dir(parser)


def _verdict(steps: Any) -> None:
    parser = _add(
        steps,
        _run("verdict"),
        "verdict",
        "Judge each SAE from the tables of its surgeries. A page says how much of its distance to "
        "the oracle each of its parts is to blame for, and sentences say what that means.",
    )
    _add_tables(parser, "tables of frozen_decoder and support_recovery")
    _add_output_dir(parser)


def _compare(steps: Any) -> None:
    parser = _add(
        steps,
        _run("compare"),
        "compare",
        "Compare the numbers of a run with the published ones. A page says which agree and which "
        "differ, by how much, by which test, and why they may.",
    )
    _add_tables(parser, "tables of experiments that something was published on")
    _add_output_dir(parser)
    parser.add_argument(
        "--published",
        dest="published_folder",
        metavar="FOLDER",
        type=_folder,
        help="the authors' released results, to compare seed by seed (default: means and standard "
        "deviations, which come with the package)",
    )
    _add_settings(parser, '\'{"alpha": 0.01, "mcc": {"margin": 0.03}}\'')


def _claims(steps: Any) -> None:
    parser = _add(
        steps,
        _run("claims"),
        "claims",
        "Judge the paper's claims on the tables of a run. A page says which hold, which do not and "
        "which cannot be told, with the numbers that decide.",
    )
    _add_tables(parser, "table files")
    parser.add_argument(
        "--claims",
        dest="list_path",
        type=_file,
        default=claims.PAPER,
        help="list of claims, as YAML (default: the paper's)",
    )
    _add_output_dir(parser)


def _numbers(steps: Any) -> None:
    parser = _add(
        steps,
        _run("numbers"),
        "numbers",
        "Collect every number that the manuscript may quote. Each has a key, its value, its text, "
        "and the file that it is from, whose digest is kept.",
    )
    _add_tables(parser, "table files")
    for page in ("claims", "verdict", "comparison"):
        parser.add_argument(
            f"--{page}", dest=f"{page}_path", type=_file, help=f"{page}.csv, if any"
        )
    _add_output(parser, "JSON")


def _typeset(steps: Any) -> None:
    parser = _add(
        steps,
        _run("typeset"),
        "typeset",
        "Typeset the manuscript. Its numbers and figures are those of one run; one that no rule "
        "makes, or that is stale, is an error.",
    )
    parser.add_argument("--source", type=_file, required=True, help="Typst file")
    parser.add_argument(
        "--numbers",
        dest="numbers_path",
        type=_file,
        required=True,
        help="file of `sae-surgery numbers`, beside which lies the folder of figures",
    )
    _add_output(parser, "PDF")


def _plan(steps: Any) -> None:
    parser = _add(
        steps,
        _run("plan", recorded=False),
        "plan",
        "Print what a run will cost. For each step: jobs, the share that is done already, GPU and "
        "CPU hours, the largest request for memory, and disk; nothing is submitted.",
    )
    _add_config(parser)


def _report(steps: Any) -> None:
    parser = _add(
        steps,
        _run("report", recorded=False),
        "report",
        "Report how a run went. Writes its manifest (source, configuration, versions, hosts, every "
        "job's times and what it waited for) and its timeline, from the logs of its steps.",
    )
    parser.add_argument("run_folder", metavar="FOLDER", type=_folder, help="results/<run>")
    parser.add_argument(
        "--config", type=_json_object, default={}, help="configuration to keep with it, as JSON"
    )


def _archive(steps: Any) -> None:
    parser = _add(
        steps,
        _run("archive", recorded=False),
        "archive",
        "Pack the results of a finished run. Unpacked in a clone of the same commit, the archive "
        "leaves Snakemake nothing to do: it holds all files with their times, Snakemake's records "
        "of them, and the configuration.",
    )
    _add_config(parser)
    parser.add_argument(
        "--output", type=_new_file, help="archive to write (default: <run>.tar.gz in this folder)"
    )
    parser.set_defaults(written=("output",))


def _examine(steps: Any) -> None:
    parser = _add(
        steps,
        _run("examine", recorded=False),
        "examine",
        "Examine trained SAEs on activations. Is the encoder at fault or the decoder? Writes a "
        "configuration, results/<name>/examine.yaml, prints it, and lets Snakemake compute it; "
        "results/<name>/examine/page.html answers. What follows `--` goes to Snakemake.",
    )
    for option, text in (
        ("sae", "file or folder of a trained SAE; several are compared"),
        ("activations", "file or folder of activations (row, dimension); one for all, or one each"),
    ):
        parser.add_argument(f"--{option}", type=_path, nargs="+", required=True, help=text)
    parser.add_argument("--ood", type=_path, help="activations out of distribution")
    parser.add_argument("--labels", type=_path, help=".npy file of a label for each row")
    parser.add_argument("--name", help="name of the run (default: after the SAE)")
    parser.add_argument("--format", help="library that wrote the SAEs (default: recognised)")
    parser.add_argument(
        "--overrule", nargs="+", default=[], help="faults of the check on loading to pass over"
    )
    parser.add_argument("--samples", type=_count, help="rows that codes are solved for")
    parser.add_argument("--seeds", type=_seed, nargs="+", action=_Distinct, help="seeds")
    parser.add_argument(
        "--questions", nargs="+", help=f"only these of {', '.join(examination.available())}"
    )
    parser.add_argument(
        "--no-rivals", action="store_true", help="learn no dictionaries to compare with"
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would run")
    parser.add_argument("--profile", help="profile of Snakemake, such as slurm")
    parser.add_argument("snakemake", nargs="*", metavar="-- ARGUMENT", help="for Snakemake")


def _sample(steps: Any) -> None:
    parser = _add(
        steps,
        _run("sample"),
        "sample",
        "Draw rows of activations for an examination. They are split into rows to learn from and "
        "held-out ones, and looked through for repetitions.",
    )
    parser.add_argument("--activations", type=_path, required=True, help="file or folder")
    parser.add_argument("--ood", type=_path, help="activations out of distribution")
    parser.add_argument("--labels", type=_file, help=".npy file of a label for each row")
    parser.add_argument("--samples", type=_count, default=20_000, help="rows (default: 20000)")
    parser.add_argument("--held-out", type=float, default=0.25, help="share (default: 0.25)")
    parser.add_argument("--seed", type=_seed, default=0, help="seed (default: 0)")
    _add_output(parser)


def _load(steps: Any) -> None:
    parser = _add(
        steps,
        _run("load"),
        "load",
        "Read a trained SAE, check that it was read rightly, and encode rows by it. Faults that "
        "--overrule does not name are errors.",
    )
    parser.add_argument("--sae", dest="sae_path", type=_path, required=True, help="file or folder")
    parser.add_argument("--format", help="library that wrote it (default: recognised)")
    _add_rows(parser)
    parser.add_argument("--activations", type=_path, required=True, help="file or folder")
    parser.add_argument("--counted", type=_count, default=100_000, help="rows to count over")
    parser.add_argument("--seed", type=_seed, default=0, help="seed (default: 0)")
    parser.add_argument("--overrule", nargs="+", default=[], help="names of faults to pass over")
    _add_threads(parser)
    _add_output(parser)


def _learn(steps: Any) -> None:
    parser = _add(
        steps,
        _run("learn"),
        "learn",
        "Learn a dictionary beside a trained SAE. It has the decoder's size, and is learned on the "
        "same rows at the encoder's mean number of active atoms.",
    )
    _add_rows(parser)
    _add_reading(parser)
    parser.add_argument("--seed", type=_seed, default=0, help="seed (default: 0)")
    parser.add_argument("--started", action="store_true", help="start from the decoder")
    _add_threads(parser)
    _add_output(parser)


def _ask(steps: Any) -> None:
    parser = _add(
        steps,
        _run("ask"),
        "ask",
        "Answer one question about a trained SAE on activations. docs/examine.md says what each "
        "answer means.",
    )
    names = examination.available()
    parser.add_argument("name", metavar="QUESTION", choices=names, help=", ".join(names))
    _add_rows(parser)
    _add_reading(parser)
    for option, text in (("learned", "learned dictionaries"), ("beside", "other SAEs' readings")):
        parser.add_argument(
            f"--{option}", dest=f"{option}_paths", type=_file, nargs="+", default=[], help=text
        )
    parser.add_argument("--sae", dest="sae_path", type=_path, help="the SAE, for its encoder")
    parser.add_argument("--format", help="library that wrote it (default: recognised)")
    parser.add_argument("--seed", type=_seed, default=0, help="seed (default: 0)")
    _add_threads(parser)
    _add_output(parser)


def _present(steps: Any) -> None:
    parser = _add(
        steps,
        _run("present"),
        "present",
        "Write the page on trained SAEs. HTML in one file, the same as Markdown, and all numbers "
        "as CSV, from the files of `sae-surgery ask`.",
    )
    parser.add_argument("--run", required=True, dest="run_name", help="name of the run")
    for option in ("rows", "readings", "answers"):
        parser.add_argument(
            f"--{option}",
            dest=f"{option}_paths",
            type=_file,
            nargs="+",
            action=_Distinct,
            required=True,
            help=f"files of {option}",
        )
    _add_output_dir(parser)


def _add_rows(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rows", dest="rows_path", type=_file, required=True, help="file of `sae-surgery sample`"
    )


def _add_reading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--reading", dest="reading_path", type=_file, required=True, help="of `sae-surgery load`"
    )


def _methods(steps: Any) -> None:
    _add(steps, _list_methods, "methods", "List the methods. Name, family and title of each.")


def _list_methods() -> None:
    for name in methods.available():
        family, title = methods.trait(name, "family"), methods.trait(name, "title")
        print(f"{name:20}{family:16}{title}")


def _problems(steps: Any) -> None:
    text = "List the problems. Name of each, what is known of its truth, and the variables that a "
    _add(steps, _list_problems, "problems", text + "sweep may have, with their defaults.")


def _list_problems() -> None:
    for name in problems.available():
        kind = problems.kind(name)
        known = ", ".join(kind.knows) or "nothing but observations"
        print(f"{name:14}knows {known}")
        for variable, default in kind.variables().items():
            print(f"    {variable:20}{default}")


def _run(step: str, recorded: bool = True) -> Callable[..., None]:
    """Return a function that imports `sae_surgery.steps.<step>` only when it is called.

    A step that is recorded tells in its log what it did.
    """

    def run(**options: Any) -> None:
        from importlib import import_module

        from sae_surgery.record.jobs import record

        began = time.time()
        function = getattr(import_module(f"sae_surgery.steps.{step}"), step)
        if recorded:
            record(step, function, options, began)
        else:
            function(**options)

    return run


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", dest="data_path", type=_file, required=True, help="data file of the cell"
    )


def _add_settings(parser: argparse.ArgumentParser, example: str) -> None:
    parser.add_argument(
        "--settings",
        type=_json_object,
        default={},
        help=f"settings that replace the paper's, as JSON: {example}",
    )


def _add_machine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device",
        dest="device_name",
        default="auto",
        help="auto (CUDA where there is one), cpu or cuda (default: auto)",
    )
    _add_threads(parser)


def _add_threads(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--threads", type=_threads, default=os.cpu_count(), help="processor threads (default: all)"
    )


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "config_path",
        metavar="CONFIG",
        type=_file,
        nargs="?",
        default=Path("config/quick.yaml"),
        help="configuration file (default: config/quick.yaml)",
    )


def _add_tables(parser: argparse.ArgumentParser, which: str) -> None:
    parser.add_argument(
        "--tables",
        dest="table_paths",
        type=_file,
        nargs="+",
        action=_Distinct,
        required=True,
        help=which,
    )


def _add_protocol(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--protocol",
        choices=["paper", "strict"],
        default="paper",
        help="way of measuring (default: paper)",
    )


def _add_output(parser: argparse.ArgumentParser, kind: str = "NetCDF") -> None:
    parser.add_argument("--output", type=_new_file, required=True, help=f"{kind} file to write")
    parser.set_defaults(written=("output",))


def _add_output_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output-dir", type=_folder, required=True, help="folder to write to")


def _cell(text: str) -> Cell:
    try:
        return Cell.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _seed(text: str) -> int:
    """Read a seed; MT19937 takes 32 bits."""
    if not _is_whole(text) or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {2**32 - 1}")
    return int(text)


def _threads(text: str) -> int:
    if not _is_whole(text) or not 1 <= int(text) <= MOST_THREADS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST_THREADS}")
    return int(text)


def _count(text: str) -> int:
    if not _is_whole(text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= documents.LONGEST_NUMBER


def _path(text: str) -> Path:
    """Read the path of a file or a folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("an empty name; a file or a folder is needed")
    return Path(text)


def _file(text: str) -> Path:
    """Read the path of a file; whether there is one is found by the step that reads it."""
    if not text.strip():
        raise argparse.ArgumentTypeError("an empty name; a file is needed")
    if os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"{text} is a folder; a file is needed")
    return Path(text)


def _new_file(text: str) -> Path:
    """Read the path of a file to write: found out now, not after hours, that it cannot exist."""
    path = _file(text)
    _folder(str(path.parent))
    return path


def _folder(text: str) -> Path:
    """Read the path of a folder, which may be made later."""
    if not text.strip():
        raise argparse.ArgumentTypeError("an empty name; a folder is needed")
    for each in (Path(text), *Path(text).parents):
        if os.path.exists(each) and not os.path.isdir(each):
            raise argparse.ArgumentTypeError(f"{each} is a file; a folder is needed")
    return Path(text)


def _require_apart(options: Mapping[str, Any], written: Iterable[str]) -> None:
    """Raise SurgeryError if a file that is to be written is named by another option, too."""
    named: dict[str, str] = {}
    for option in sorted(options, key=lambda name: name in written):
        values = options[option] if isinstance(options[option], list) else [options[option]]
        for path in (value for value in values if isinstance(value, Path)):
            real = os.path.realpath(path)
            if option in written and real in named:
                raise SurgeryError(f"{path}: cannot be written, another option names this file")
            named[real] = option


def _sweep(text: str) -> dict[str, Any]:
    value = _json_object(text)
    wrong = schemas.problems(value, schemas.schema("sweep"), "sweep")
    if wrong:
        lines = [line for lines in wrong.values() for line in lines]
        raise argparse.ArgumentTypeError("; ".join(lines))
    return value


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = documents.parse_json(text)
    except SurgeryError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("a JSON object in braces is needed")
    return value


STEPS = (
    _simulate,
    _renew,
    _fit,
    _encode,
    _operate,
    _evaluate,
    _assess,
    _audit,
    _tabulate,
    _draw,
    _verdict,
    _compare,
    _claims,
    _numbers,
    _typeset,
    _plan,
    _report,
    _archive,
    _examine,
    _sample,
    _load,
    _learn,
    _ask,
    _present,
    _methods,
    _problems,
)
"""What declares the subcommands, in the order of their help."""
