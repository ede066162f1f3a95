"""Answers as tables: one of single numbers, and one a curve."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from sae_surgery.pages.examination.findings import Given, Number
from sae_surgery.pages.examination.words import number


@dataclass(frozen=True)
class Table:
    """A table for people."""

    caption: str
    header: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Number | None]]]
    """Name of each row, and its numbers."""


def tables(given: Given) -> Iterator[Table]:
    """Yield the tables of an answer."""
    single = given.rows[given.rows["at"].isna()]
    for quantities in _alike(single):
        rows = single[single["quantity"].isin(quantities)]
        caption = "; ".join(given.question.quantities[each] for each in quantities)
        yield _table(given, rows, caption, ["quantity", "split"])
    curves = given.rows[given.rows["at"].notna()]
    for quantity, rows in curves.groupby("quantity", sort=False):
        yield _table(given, rows, given.question.quantities[quantity], ["split", "at"])


def _alike(rows: pd.DataFrame) -> list[list[str]]:
    """Return groups of quantities that are of the same conditions."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for quantity, some in rows.groupby("quantity", sort=False):
        groups.setdefault(tuple(dict.fromkeys(some["condition"])), []).append(str(quantity))
    return list(groups.values())


def title_of(given: Given, condition: str) -> str:
    """Return the display name of a condition; one that is named by the user keeps its name."""
    return given.question.conditions.get(condition, condition)


def _table(given: Given, rows: pd.DataFrame, caption: str, keys: list[str]) -> Table:
    columns = list(dict.fromkeys(rows[keys].itertuples(index=False, name=None)))
    several = rows["split"].nunique() > 1
    header = [_head(given, dict(zip(keys, column, strict=True)), several) for column in columns]
    body = []
    for condition, some in rows.groupby("condition", sort=False):
        found = {
            tuple(getattr(row, key) for key in keys): Number(row.value, row.low, row.high)
            for row in some.itertuples(index=False)
        }
        body.append((title_of(given, condition), [found.get(column) for column in columns]))
    return Table(caption, header, body)


def _head(given: Given, column: dict, several: bool) -> str:
    question, words = given.question, []
    if "quantity" in column:
        words.append(question.quantities[column["quantity"]])
    if several:
        words.append(question.splits.get(column["split"], column["split"]))
    if "at" in column:
        at = column["at"]
        words.append(question.places.get(at, f"{question.along} {number(at)}"))
    return ", ".join(words)
