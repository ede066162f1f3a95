"""What a run of the benchmarks leaves: a NetCDF file, a page and figures."""

import json
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from math import isnan
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks import growth
from benchmarks.harness import Row
from sae_surgery.drawing import style
from sae_surgery.files import store
from sae_surgery.files.store import Origin, Variable
from sae_surgery.machine.atomic import write_text

PEERS = (
    "scikit-learn",
    "spams-bin",
    "celer",
    "skglm",
    "sae-lens",
    "dictionary_learning",
    "overcomplete",
)
LIBRARIES = ("sae-surgery", "torch", "numpy", "scipy", "numba")
SMALLEST_ERROR = 1e-16
"""Drawn for an error of zero."""
HEAD = (
    "threads", "contestant", "median", "quartiles", "lowest", "runs", "× ours", "target",
    "", "accuracy, notes",
)  # fmt: skip


def processor() -> str:
    """Return the name of the CPU model."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def versions() -> dict[str, str]:
    """Return the version of each library and peer; `not installed` for one that is missing."""
    return {name: _version(name) for name in (*LIBRARIES, *PEERS)}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """Write all rows as a NetCDF file of the project's kind `benchmarks`."""
    origin = Origin(title="Benchmarks beside other solvers, learners and libraries")
    attributes = {"processor": processor(), "peers": json.dumps(versions())}
    store.write(path, "benchmarks", _variables(rows), origin, **attributes)


def _variables(rows: Sequence[Row]) -> Iterator[tuple[str, Variable]]:
    texts = {
        "comparison": "what is compared",
        "size": "size of the problem",
        "contestant": "who solved it",
        "unit": "unit of median, quartiles and lowest",
        "status": "ok, not reached, or why there is no value",
        "verdict": "whether the target is met",
        "note": "what to know about the value",
    }
    for name, meaning in texts.items():
        values = np.array([getattr(row, name) for row in rows], dtype=object)
        yield name, Variable(("row",), values, meaning, None)
    counts = {
        "n_latents": ("number of latents", [row.n_latents for row in rows]),
        "threads": ("processor threads", [row.threads for row in rows]),
        "repeats": ("runs that were measured", [len(row.values) for row in rows]),
    }
    for name, (meaning, values) in counts.items():
        yield name, Variable(("row",), np.array(values, np.int64), meaning)
    numbers = {
        "median": ("median of the runs", [row.median for row in rows]),
        "first_quartile": ("first quartile of the runs", [row.quartiles[0] for row in rows]),
        "third_quartile": ("third quartile of the runs", [row.quartiles[1] for row in rows]),
        "lowest": ("smallest of the runs", [row.lowest for row in rows]),
        "ratio": ("median over the median of ours", [row.ratio for row in rows]),
        "target": ("ratio that is aimed at", [row.target for row in rows]),
    }
    for measure in dict.fromkeys(name for row in rows for name in row.measures):
        values = [row.measures.get(measure, np.nan) for row in rows]
        numbers[_identifier(measure)] = (measure, values)
    for name, (meaning, values) in numbers.items():
        yield name, Variable(("row",), np.array(values, float), meaning, "1", "not measured")


def _identifier(text: str) -> str:
    words = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in text)
    return "_".join(words.split())


def write_page(path: Path, rows: Sequence[Row]) -> None:
    """Write the page: the machine, what became of the targets, then a table for each problem."""
    targets = [row.verdict for row in rows if row.verdict]
    lines = [
        "# Benchmarks",
        "",
        f"{processor()}; " + ", ".join(f"{name} {value}" for name, value in versions().items()),
        "",
        "Contestants run in turn in one process; values are medians. `× ours` is how many times "
        "ours goes into a contestant's value; after a time limit, the least that it can be.",
        "",
        f"Targets met: {targets.count('met')} of {len(targets)}.",
    ]
    for (comparison, size), group in groupby(rows, key=lambda row: (row.comparison, row.size)):
        lines += ["", f"## {comparison}: {size}", "", _line(HEAD), _line("-" for _ in HEAD)]
        lines += [_line(_cells(row)) for row in group]
    write_text(path, "\n".join(lines) + "\n")


def _cells(row: Row) -> Iterator[str]:
    bound = "> " if row.status == "not reached" else ""
    reached = row.status == "ok"
    yield str(row.threads)
    yield row.contestant
    yield f"{bound}{_number(row.median)} {row.unit}" if row.values else "–"
    first, third = row.quartiles
    yield f"{_number(first)} – {_number(third)}" if reached else ""
    yield _number(row.lowest) if reached else ""
    yield str(len(row.values)) if row.values else ""
    yield "" if isnan(row.ratio) else f"{bound}{_number(row.ratio)}"
    yield "" if isnan(row.target) else f"{row.target:g}"
    yield f"**{row.verdict}**" if row.verdict == "missed" else row.verdict
    status = "" if reached else row.status
    told = {} if status.startswith("refused") else row.measures
    measures = (f"{name} {value:.1e}" for name, value in told.items())
    yield "; ".join(filter(None, (status, *measures, row.note)))


def _line(cells) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _number(value: float) -> str:
    """Write three significant digits, in plain notation between 0.001 and 10 000."""
    if value and not 1e-3 <= abs(value) < 1e4:
        return f"{value:.2e}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def write_figures(folder: Path, rows: Sequence[Row]) -> list[Path]:
    """Draw time against n, and accuracy against time, for what was compared; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in ("inference_exact", "inference_fista"):
        chosen = [row for row in rows if row.comparison == name and row.values and row.threads == 1]
        for draw, suffix in ((_time_against_n, "time"), (_accuracy_against_time, "accuracy")):
            if any(row.measures for row in chosen):
                with style.applied():
                    figure = draw(chosen)
                paths = [folder / f"{name}_{suffix}.{kind}" for kind in ("png", "pdf")]
                style.save(figure, paths)
                written += paths
    return written + growth.write(folder, rows)


def _time_against_n(rows: Sequence[Row]) -> Figure:
    figure = _figure()
    axes = figure.subplots()
    for index, (name, points) in enumerate(_by_contestant(rows).items()):
        points = sorted(points, key=lambda row: row.n_latents)
        x, y = [row.n_latents for row in points], [row.median for row in points]
        axes.plot(x, y, label=name, **_line_style(name, index))
    axes.set(xscale="log", yscale="log", xlabel="latents n", ylabel="seconds")
    figure.legend(loc="outside right center", fontsize=style.LEGEND_SIZE)
    return figure


def _accuracy_against_time(rows: Sequence[Row]) -> Figure:
    """Draw a panel for each n; the first measure of each contestant is its error."""
    rows = [row for row in rows if row.measures]
    sizes = sorted({row.n_latents for row in rows})
    figure = _figure()
    panels = figure.subplots(1, len(sizes), sharey=True, squeeze=False)[0]
    for index, (name, points) in enumerate(_by_contestant(rows).items()):
        look = _line_style(name, index) | {"linestyle": "none"}
        for row in points:
            panel = sizes.index(row.n_latents)
            error = max(next(iter(row.measures.values())), SMALLEST_ERROR)
            label = name if row is points[0] else None
            panels[panel].plot(row.median, error, label=label, **look)
    for size, axes in zip(sizes, panels, strict=True):
        axes.set(xscale="log", yscale="log", xlabel="seconds", title=f"n = {size}")
    panels[0].set_ylabel(next(iter(rows[0].measures)))
    figure.legend(loc="outside right center", fontsize=style.LEGEND_SIZE)
    return figure


def _figure() -> Figure:
    return Figure(figsize=(style.TEXT_WIDTH, 0.45 * style.TEXT_WIDTH), layout="constrained")


def _by_contestant(rows: Sequence[Row]) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.contestant, []).append(row)
    return grouped


def _line_style(name: str, index: int) -> dict:
    if name == "GEMM floor":
        return {"color": "0.6", "linestyle": ":", "marker": ""}
    return {"color": f"C{index % 10}", "marker": "osD^v<>Ph*"[index % 10], "linewidth": 1.1}
