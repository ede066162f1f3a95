"""The page and the table that tell how claims were judged."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from sae_surgery.machine.divergence import as_section
from sae_surgery.pages.claims.judging import COLUMNS, OUTCOMES, Judgement
from sae_surgery.tables.answers import decimals
from sae_surgery.tables.corrections import CORRECTIONS

_EXPLANATION = """\
What the paper claims, in our own words, judged on the tables of this run. A claim is decided by
comparisons of means over seeds, one at each place of a table and for each method that it speaks of.
It **holds** if all of them do, and **holds in part** if some do. It **does not hold** if all that
it says of something fails, and **cannot be told** where the run lacks what it speaks of.

A comparison is **close** where it passes or fails by no more than the seeds leave open: half the
95 % interval of the compared difference, of t over seeds. Other seeds might decide it the other
way. Of a single seed there is no interval, and how close it is cannot be told. The table counts
the comparisons that agree with each claim, and those, of all, that are close.
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


def statement(rows: pd.DataFrame) -> str:
    """Say in words how many claims have each outcome, and how many are close.

    Parameters
    ----------
    rows
        What `as_frame` returns, or read from its file: columns claim, outcome and close.
    """
    outcomes = rows.groupby("claim", sort=False)["outcome"].first()
    counts = {outcome: int((outcomes == outcome).sum()) for outcome in OUTCOMES}
    *most, last = [_counted(count, outcome) for outcome, count in counts.items() if count]
    said = f"{', '.join(most)} and {last}" if most else last
    text = f"Of {len(outcomes)} claim{'s' * (len(outcomes) > 1)} of the paper, {said}"
    close = rows[rows["close"].astype(object) == True]["claim"].nunique()  # noqa: E712
    if close:
        text += f"; {close} {'rests' if close == 1 else 'rest'} on a comparison that is close"
    return f"{text}."


def _counted(count: int, outcome: str) -> str:
    """Write an outcome in the number of those that have it: `1 holds`, `2 hold`."""
    if count > 1:
        outcome = outcome.replace("holds", "hold").replace("does", "do")
    return f"{count} {outcome}"


def as_markdown(
    judgements: Sequence[Judgement],
    by_correction: pd.DataFrame | None = None,
    diverged: Sequence[str] = (),
) -> str:
    """Write the judgements as a page: in short, the outcomes, then the numbers that decide each.

    In between, if they are given, the outcomes of `judge_by_correction`, and what diverged.
    """
    title = f"# Claims\n\n**{statement(as_frame(judgements))}**\n"
    blocks = [title, _EXPLANATION, "\n".join(_overview(judgements)) + "\n"]
    if by_correction is not None:
        blocks.append("\n".join(_corrected(by_correction)) + "\n")
    blocks += [as_section(diverged)] if diverged else []
    blocks += ["\n".join(_details(judgement)) + "\n" for judgement in judgements]
    return "\n".join(blocks)


def _overview(judgements: Sequence[Judgement]) -> Iterator[str]:
    yield "| claim | outcome | agree | close |"
    yield "|---|---|---:|---:|"
    for judgement in judgements:
        claim, decided = judgement.claim, judgement.decided
        counted = f"{len(decided) - len(judgement.failures)} of {len(decided)}"
        cells = [claim.statement, judgement.outcome, counted, len(judgement.close)]
        yield f"| {' | '.join(map(str, cells))} |"


def _corrected(by_correction: pd.DataFrame) -> Iterator[str]:
    yield "## One correction at a time\n"
    yield "How claims come out on the published scores, with each correction alone, and with all.\n"
    yield f"| corrected | {' | '.join(by_correction.index)} |"
    yield "|" + "---|" * (1 + len(by_correction))
    for correction, outcomes in by_correction.items():
        yield f"| {CORRECTIONS[correction].meaning} | {' | '.join(outcomes)} |"


def _details(judgement: Judgement) -> Iterator[str]:
    claim = judgement.claim
    yield f"## {claim.id}: {judgement.outcome}\n\n{claim.statement}\n"
    yield f"Made in: {claim.made_in}.\n"
    yield from (f"- {reason}" for reason in judgement.lacking)
    if judgement.lacking:
        yield ""
    if len(judgement.comparisons):
        yield "| metric | method | condition | place | value | must be | holds | by | |"
        yield "|---|---|---|---|---:|---|---|---|---|"
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
