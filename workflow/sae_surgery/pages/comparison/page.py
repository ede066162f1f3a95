"""A comparison as a page that needs no other file, and in short as Markdown."""

import base64
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from sae_surgery.drawing import style
from sae_surgery.machine.atomic import read_text
from sae_surgery.machine.divergence import LEFT_OUT, as_section
from sae_surgery.pages.comparison.criteria import RELATIVE, Criteria
from sae_surgery.pages.comparison.findings import Finding
from sae_surgery.pages.comparison.plot import scatter
from sae_surgery.pages.comparison.rows import MISSING, VERDICTS
from sae_surgery.pages.comparison.summary import statement, sums, worst

TEMPLATE = Path(__file__).parent / "page.html.jinja"
WORST = 30
"""Rows among the farthest apart."""
WORST_IN_SHORT = 12
_CELL = ["source", "method", "condition", "n_latents", "k", "obs_dim", "n_samples"]


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
    compared = rows[rows["verdict"] != MISSING]
    reasons = {why: place for place, why in enumerate(compared["why"].unique(), start=1)}
    return (
        _environment()
        .from_string(read_text(TEMPLATE))
        .render(
            title=title,
            lead=statement(rows),
            sums=sums(rows).to_dict("records"),
            verdicts=VERDICTS,
            worst=_records(worst(rows, WORST)),
            plot=_plot(rows),
            alpha=criteria.alpha,
            limits=criteria.limits,
            relative=RELATIVE,
            reasons=reasons,
            findings=findings,
            left_out=LEFT_OUT,
            diverged=diverged,
            experiments=list(_experiments(rows)),
        )
    )


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
        lacking = some[some["verdict"] == MISSING]
        yield {
            "name": name,
            "compared": _records(some[some["verdict"] != MISSING]),
            "n_missing": len(lacking),
            "missing": list(lacking.groupby(_CELL, sort=False).size().items()),
        }


def _records(rows: pd.DataFrame) -> list[Any]:
    return list(rows.itertuples(index=False))


def _plot(rows: pd.DataFrame) -> str:
    drawn, figure = io.BytesIO(), scatter(rows)
    style.settle(figure)
    with style.applied():
        figure.savefig(drawn, format="png", dpi=200, metadata={"Software": None})
    return base64.b64encode(drawn.getvalue()).decode()


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    filters = {"number": _number, "short": _short, "step": _step, "percent": _percent}
    environment.filters |= filters
    return environment


def _number(value: float) -> str:
    return f"{value:.4g}".replace("-", "−") if math.isfinite(value) else ""


def _short(value: float) -> str:
    return f"{value:.2g}".replace("-", "−") if math.isfinite(value) else ""


def _step(value: float) -> str:
    return "last" if value == math.inf else _number(value)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if math.isfinite(share) else ""
