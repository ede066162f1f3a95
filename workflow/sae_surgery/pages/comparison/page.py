"""A comparison as a page that needs no other file, and in short as Markdown."""

import base64
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sae_surgery.drawing import style
from sae_surgery.machine.divergence import LEFT_OUT, as_section
from sae_surgery.pages.comparison.criteria import RELATIVE, Criteria
from sae_surgery.pages.comparison.findings import Finding
from sae_surgery.pages.comparison.plot import scatter
from sae_surgery.pages.comparison.rows import MISSING, VERDICTS
from sae_surgery.pages.comparison.summary import statement, sums, worst
from sae_surgery.pages.shared import render

TEMPLATE = Path(__file__).parent / "page.html.jinja"
WORST = 30
"""Rows among the farthest apart."""
WORST_IN_SHORT = 12
_SIZES = {"n_latents": "n", "k": "k", "obs_dim": "m", "n_samples": "samples"}
"""What the sizes of a cell are called."""
_GROUP = ["method", "source", "expected", "why"]
"""What rows have in common that are shown below one reason."""


def as_html(
    rows: pd.DataFrame,
    criteria: Criteria,
    title: str,
    findings: Sequence[Finding] | None,
    diverged: Sequence[str] = (),
) -> str:
    """Write the page.

    Parameters
    ----------
    rows
        What `compare` returns.
    criteria
        What it was judged by.
    title
        Heading of the page.
    findings
        What is to be told of the released files; None if there were none to read.
    diverged
        What the tables tell of seeds that did.
    """
    filters = {
        "number": _number,
        "short": _short,
        "percent": _percent,
        "at": _at,
        "slug": slug,
    }
    return render(
        TEMPLATE,
        filters,
        title=title,
        lead=statement(rows),
        sums=sums(rows).to_dict("records"),
        verdicts=VERDICTS,
        sizes=[*_SIZES],
        worst=_records(worst(rows, WORST)),
        plot=_plot(rows),
        alpha=criteria.alpha,
        limits=criteria.limits,
        relative=RELATIVE,
        findings=findings,
        left_out=LEFT_OUT,
        diverged=diverged,
        methods=sorted(rows["method"].unique()),
        experiments=list(_experiments(rows)),
    )


def slug(verdict: str) -> str:
    """Return a verdict as a word: a class of rows, and what the page's address can ask for."""
    return verdict.replace(" ", "-")


def as_markdown(rows: pd.DataFrame, title: str, diverged: Sequence[str] = ()) -> str:
    """Write sums, the farthest cells, and what diverged."""
    counted = sums(rows)
    counted["agree"], counted["within"] = (
        counted[each].map(_percent) for each in ("share", "within")
    )
    total = ["experiment", "expected", "published", *VERDICTS, "agree", "within"]
    far = worst(rows, WORST_IN_SHORT)
    shown = pd.DataFrame(
        {
            "experiment": far["experiment"],
            "method": far["method"],
            "condition": far["condition"],
            "n": far["n_latents"],
            "k": far["k"],
            "m": far["obs_dim"],
            "samples": far["n_samples"],
            "step": far["step"].map(_step),
            "metric": far["metric"],
            "published": far["published"].map(_number),
            "reproduced": far["reproduced"].map(_number),
            "distance": far["distance"].map(_short),
            "limit": far["limit"].map(_short),
            "expected": far["expected"],
            "verdict": far["verdict"],
        }
    )
    blocks = [
        f"# {title}",
        statement(rows),
        *_table(counted[total]),
        "Agree counts what is shown to; within, what lies no farther apart than it may, whether or "
        "not the seeds suffice to show that it is no accident. Not comparable is the class none: "
        "another quantity was published than the run has, or rounding errors.",
        "## Farthest apart",
        "What does not agree though it might, by distance over limit.",
        *_table(shown),
        *([as_section(diverged).rstrip()] if diverged else []),
        "`comparison.html` says how it was judged, and why numbers may differ; `comparison.csv` "
        "has every number.",
    ]
    return "\n\n".join(blocks) + "\n"


def _table(frame: pd.DataFrame) -> Iterator[str]:
    lines = [frame.columns, ["---"] * frame.shape[1], *frame.astype(str).to_numpy()]
    yield "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _experiments(rows: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for name, some in rows.groupby("experiment", sort=False):
        lacking = some["verdict"] == MISSING
        varied = [size for size in _SIZES if some[size].nunique() > 1]
        common = _sizes(some.iloc[0], [size for size in _SIZES if size not in varied])
        yield {
            "name": name,
            "n_compared": int((~lacking).sum()),
            "n_missing": int(lacking.sum()),
            "varied": varied,
            "common": common,
            "groups": list(_groups(some[~lacking])),
            "missing": list(_missing(some[lacking])),
        }


def _groups(rows: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the rows that share a method and a reason, with both."""
    for shared, some in rows.groupby(_GROUP, sort=False, dropna=False):
        yield dict(zip(_GROUP, shared, strict=True)) | {"rows": _records(some)}


def _missing(rows: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield where the run lacks numbers of a method, and how many."""
    for (method, source), some in rows.groupby(["method", "source"], sort=False):
        cells = some.groupby(["condition", *_SIZES], sort=False, dropna=False)
        places = [(next(each.assign(step=math.nan).itertuples()), len(each)) for _, each in cells]
        yield {"method": method, "source": source, "places": places}


def _records(rows: pd.DataFrame) -> list[Any]:
    return list(rows.itertuples(index=False))


def _plot(rows: pd.DataFrame) -> str:
    drawn, figure = io.BytesIO(), scatter(rows)
    style.settle(figure)
    with style.applied():
        figure.savefig(drawn, format="png", dpi=200, metadata={"Software": None})
    return base64.b64encode(drawn.getvalue()).decode()


def _at(row: Any, sizes: Sequence[str]) -> str:
    """Write where a row's number is of: its condition, those sizes, and its step."""
    step = f"step {_step(row.step)}" if row.step == row.step else ""
    return ", ".join(filter(None, [row.condition, _sizes(row, sizes), step]))


def _sizes(row: Any, sizes: Sequence[str]) -> str:
    return ", ".join(f"{_SIZES[size]} = {getattr(row, size)}" for size in sizes)


def _number(value: float) -> str:
    return f"{value:.4g}".replace("-", "−") if math.isfinite(value) else ""


def _short(value: float) -> str:
    return f"{value:.2g}".replace("-", "−") if math.isfinite(value) else ""


def _step(value: float) -> str:
    return "last" if value == math.inf else _number(value)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if math.isfinite(share) else ""
