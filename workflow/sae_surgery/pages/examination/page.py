"""The page in HTML that needs no other file, the same as Markdown, and all numbers as a frame."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from sae_surgery.pages.examination.facts import ASSUMED, facts, refused
from sae_surgery.pages.examination.findings import Finding, Given, Number
from sae_surgery.pages.examination.plots import figure
from sae_surgery.pages.examination.tables import Table, tables
from sae_surgery.pages.examination.words import interval, number, verdict, with_interval
from sae_surgery.pages.shared import render

TEMPLATE = Path(__file__).parent / "page.html.jinja"

SIDE_BY_SIDE: tuple[tuple[str, str, str, str, float | None, str | None], ...] = (
    ("active atoms", "encoder", "encoder", "l0", None, "held_out"),
    ("explained by the encoder", "encoder", "encoder", "explained_variance", None, "held_out"),
    ("solved on its decoder", "encoder", "omp", "explained_variance", None, "held_out"),
    ("gain of a learned dictionary", "decoder", "scratch", "gain", None, None),
    ("planted F1, encoder", "planted", "encoder", "f1", 1.0, "own"),
    ("the same, recombined", "planted", "encoder", "f1", 1.0, "recombined"),
    ("recombined, solved", "planted", "lasso_refitted", "f1", 1.0, "recombined"),
    ("dead atoms", "health", "decoder", "dead", None, None),
    ("labels, AUC", "labels", "encoder", "auc", None, None),
)
"""Of several SAEs side by side: heading, question, condition, quantity, place and split."""


def as_html(findings: Sequence[Finding], title: str) -> str:
    """Write the page."""
    return render(
        TEMPLATE,
        {"number": number, "interval": interval},
        title=title,
        findings=findings,
        verdict=verdict,
        facts=facts,
        refused=refused,
        answered=_answered,
        tables=tables,
        figure=figure,
        beside=_side_by_side(findings),
        assumed=ASSUMED,
    )


def as_markdown(findings: Sequence[Finding], title: str) -> str:
    """Write the same without figures."""
    blocks = [f"# {title}"]
    for finding in findings:
        blocks += [f"## {finding.name}", *verdict(finding)]
    beside = _side_by_side(findings)
    if beside:
        blocks += ["## Side by side", _as_text(beside)]
    for finding in findings:
        blocks += list(_sections(finding))
    blocks += ["## What was assumed", "\n".join(f"- {each}" for each in ASSUMED)]
    blocks.append("`page.html` has the figures, `page.csv` every number.")
    return "\n\n".join(blocks) + "\n"


def as_frame(findings: Sequence[Finding]) -> pd.DataFrame:
    """Return every number, a row each, with the SAE and the question that it answers."""
    parts = [
        given.rows.assign(sae=finding.name, question=given.name)
        for finding in findings
        for given in finding.answers.values()
    ]
    frame = pd.concat(parts, ignore_index=True)
    first = ["sae", "question"]
    return frame[[*first, *(name for name in frame.columns if name not in first)]]


def _answered(finding: Finding) -> list[Given]:
    return [given for given in finding.answers.values() if not given.skipped]


def _side_by_side(findings: Sequence[Finding]) -> Table | None:
    """Return the numbers of several SAEs beside each other; None if there is only one."""
    if len(findings) < 2:
        return None
    rows = [
        (finding.name, [_beside(finding, *which[1:]) for which in SIDE_BY_SIDE])
        for finding in findings
    ]
    return Table("Side by side", [which[0] for which in SIDE_BY_SIDE], rows)


def _beside(
    finding: Finding,
    question: str,
    condition: str,
    quantity: str,
    at: float | None,
    split: str | None,
) -> Number | None:
    given = finding.answers.get(question)
    if given is None or given.skipped:
        return None
    if at is None:
        return given.number(condition, quantity, split)
    return given.at(condition, quantity, at, split)


def _sections(finding: Finding) -> Iterator[str]:
    yield f"## {finding.name}: How it was read"
    yield "\n".join(f"- {name}: {text}" for name, text in facts(finding))
    said = refused(finding)
    if said:
        yield f"### {finding.name}: refused or left out"
        yield "\n".join(f"- {each}" for each in said)
    for given in _answered(finding):
        yield f"## {finding.name}: {given.question.title}"
        yield given.question.asks
        for table in tables(given):
            yield f"*{table.caption}*"
            yield _as_text(table)
        if given.notes:
            yield "\n".join(f"- {note}" for note in given.notes)


def _as_text(table: Table) -> str:
    lines = [["", *table.header], ["---"] * (len(table.header) + 1)]
    lines += [
        [name, *(with_interval(each) if each else "" for each in numbers)]
        for name, numbers in table.rows
    ]
    return "\n".join(f"| {' | '.join(each.replace('|', '/') for each in line)} |" for line in lines)
