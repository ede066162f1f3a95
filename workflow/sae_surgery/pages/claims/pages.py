"""The page and the table that tell how claims were judged."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from sae_surgery.machine.divergence import as_section
from sae_surgery.pages.claims.judging import COLUMNS, Judgement
from sae_surgery.tables.answers import decimals
from sae_surgery.tables.corrections import CORRECTIONS

_EXPLANATION = """\
# Claims

What the paper claims, in our own words, judged on the tables of this run. A claim is decided by
comparisons of means over seeds, one at each place of a table and for each method that it speaks of.
It **holds** if all of them do, and **holds in part** if some do. It **does not hold** if all that
it says of something fails, and **cannot be told** where the run lacks what it speaks of.

A comparison is **close** where it passes or fails by no more than the seeds leave open: half the
95 % interval of the compared difference, of t over seeds. Other seeds might decide it the other
way. Of a single seed there is no interval, and how close it is cannot be told.
"""


def as_frame(judgements: Sequence[Judgement]) -> pd.DataFrame:
    """Give the judgements as a tidy frame, one row a comparison, or a check that has none.

    Columns claim, statement, made_in, outcome, lacking, and those of `Judgement.comparisons`.
    """
    frames = []
    for judgement in judgements:
        claim = judgement.claim
        rows = judgement.comparisons
        if rows.empty:
            named = [{"check": n, **check} for n, check in enumerate(claim.checks, start=1)]
            rows = pd.DataFrame(named, columns=COLUMNS)
        head = {
            "claim": claim.id,
            "statement": claim.statement,
            "made_in": claim.made_in,
            "outcome": judgement.outcome,
            "lacking": "; ".join(judgement.lacking),
        }
        frames.append(rows.assign(**head)[[*head, *COLUMNS]])
    return pd.concat(frames, ignore_index=True)


def as_markdown(
    judgements: Sequence[Judgement],
    by_correction: pd.DataFrame | None = None,
    diverged: Sequence[str] = (),
) -> str:
    """Write the judgements as a page: the outcomes, then the numbers that decide each claim.

    In between, if they are given, the outcomes of `judge_by_correction`, and what diverged.
    """
    blocks = [_EXPLANATION, "\n".join(_overview(judgements)) + "\n"]
    if by_correction is not None:
        blocks.append("\n".join(_corrected(by_correction)) + "\n")
    blocks += [as_section(diverged)] if diverged else []
    blocks += ["\n".join(_details(judgement)) + "\n" for judgement in judgements]
    return "\n".join(blocks)


def _overview(judgements: Sequence[Judgement]) -> Iterator[str]:
    yield "| claim | made in | outcome | comparisons that agree | of all, close |"
    yield "|---|---|---|---|---|"
    for judgement in judgements:
        claim, decided = judgement.claim, judgement.decided
        counted = f"{len(decided) - len(judgement.failures)} of {len(decided)}"
        cells = [claim.statement, claim.made_in, judgement.outcome, counted, len(judgement.close)]
        yield f"| {' | '.join(map(str, cells))} |"


def _corrected(by_correction: pd.DataFrame) -> Iterator[str]:
    yield "## One correction at a time\n"
    yield "How claims come out on the published scores, with each correction alone, and with all.\n"
    yield f"| corrected | {' | '.join(by_correction.index)} |"
    yield "|" + "---|" * (1 + len(by_correction))
    for correction, outcomes in by_correction.items():
        yield f"| {CORRECTIONS[correction].meaning} | {' | '.join(outcomes)} |"


def _details(judgement: Judgement) -> Iterator[str]:
    yield f"## {judgement.claim.id}: {judgement.outcome}\n\n{judgement.claim.statement}\n"
    yield from (f"- {reason}" for reason in judgement.lacking)
    if judgement.lacking:
        yield ""
    if len(judgement.comparisons):
        yield "| metric | method | condition | place | value | must be | holds | by | |"
        yield "|---|---|---|---|---|---|---|---|---|"
    for row in judgement.comparisons.itertuples():
        answer = {True: "yes", False: "no"}.get(row.passes, "no result")
        cells = [row.metric, row.title, row.condition, row.place, f"{row.value:.3f}", _wanted(row)]
        yield f"| {' | '.join([*cells, answer, slack(row), 'close' if row.close else ''])} |"


def slack(row: Any) -> str:
    """Write by how much a comparison passes, or fails if negative, ± what the seeds leave open."""
    if row.passes is None or pd.isna(row.slack):
        return ""
    open_ = "" if pd.isna(row.uncertainty) else f" ± {decimals(row.uncertainty, 3)}"
    return decimals(row.slack, 3) + open_


def _wanted(row: Any) -> str:
    """Write what a comparison wants of its value."""
    reference = f"{row.reference:.3f}" + (f" ({row.against})" if row.against else "")
    if row.relation == "near":
        return f"within {row.by:g} of {reference}"
    end, sign = {"above": ("at least", 1), "below": ("at most", -1)}[row.relation]
    return f"{end} {reference}" + (f" {sign * row.by:+g}".replace("-", "−") if row.by else "")
