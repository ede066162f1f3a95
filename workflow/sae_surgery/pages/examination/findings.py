"""What is on the page of one SAE: how it was read, and its answers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from sae_surgery.examination.base import Question
from sae_surgery.files.store import SKIPPED


@dataclass(frozen=True)
class Number:
    """A number with the ends of its interval, which are NaN where it has none."""

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether there is such a number."""
        return math.isfinite(self.value)


MISSING = Number(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Given:
    """The answer to one question."""

    name: str
    question: Question
    rows: pd.DataFrame
    notes: Sequence[str]
    status: str

    @property
    def skipped(self) -> str | None:
        """Why there is no answer; None if there is one."""
        return self.status.removeprefix(SKIPPED) if self.status.startswith(SKIPPED) else None

    def number(self, condition: str, quantity: str, split: str | None = None) -> Number:
        """Return a number that stands on no curve; one that is missing is NaN."""
        return self._only(self.rows[self.rows["at"].isna()], condition, quantity, split)

    def at(self, condition: str, quantity: str, at: float, split: str | None = None) -> Number:
        """Return a number at a place of a curve."""
        return self._only(self.rows[self.rows["at"] == at], condition, quantity, split)

    def _only(self, rows: pd.DataFrame, condition: str, quantity: str, split: str | None) -> Number:
        chosen = rows[(rows["condition"] == condition) & (rows["quantity"] == quantity)]
        if split is not None:
            chosen = chosen[chosen["split"] == split]
        if chosen.empty:
            return MISSING
        first = chosen.iloc[0]
        return Number(float(first["value"]), float(first["low"]), float(first["high"]))


@dataclass(frozen=True)
class Finding:
    """All that is known of one SAE."""

    name: str
    facts: Mapping[str, Any]
    """How it was read."""
    sizes: Mapping[str, int]
    """Dimensions, atoms, rows of each split, and what was counted."""
    answers: Mapping[str, Given]
    """By the name of the question."""
