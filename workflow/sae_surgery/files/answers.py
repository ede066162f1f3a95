"""Answers to questions as files, and the dictionaries that they compare with."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sae_surgery.examination.base import Answer
from sae_surgery.files import store
from sae_surgery.files.store import Origin, Variable

NO_INTERVAL = "not defined: no interval, or no place on a curve"
COLUMNS = ("condition", "quantity", "split", "at", "value", "low", "high")


def write_answer(path: Path, answer: Answer, origin: Origin, **attributes: str) -> None:
    """Write an answer.

    Raises
    ------
    StoreError
        If a value is not finite.
    """
    notes = json.dumps(list(answer.notes))
    store.write(path, "answer", _variables(answer), origin, notes=notes, **attributes)


def read_answer(path: Path) -> tuple[pd.DataFrame, Mapping[str, Any]]:
    """Return the rows of an answer, with `COLUMNS`, and its attributes, of which `notes` a list.

    Raises
    ------
    StoreError
        If it is missing, damaged, or of another kind.
    """
    file = store.read(path, "answer")
    attributes = {**file.attrs, "notes": json.loads(file.attrs["notes"])}
    columns = {name: file[name].values if name in file else [] for name in COLUMNS}
    return pd.DataFrame(columns), attributes


def _variables(answer: Answer) -> Iterator[tuple[str, Variable]]:
    texts = {
        "condition": "what was scored",
        "quantity": "name of the number",
        "split": "samples that it is of",
    }
    for name, text in texts.items():
        values = np.array([getattr(row, name) for row in answer.rows], dtype=object)
        yield name, Variable(("row",), values, text, None)
    numbers = {
        "at": "place on a curve, such as the number of active atoms asked for",
        "low": "lower end of the 95 % interval",
        "high": "upper end of the 95 % interval",
    }
    for name, text in numbers.items():
        values = np.array([getattr(row, name) for row in answer.rows])
        yield name, Variable(("row",), values, text, nan_means=NO_INTERVAL)
    values = np.array([row.value for row in answer.rows])
    missing = "not defined" if any(math.isnan(value) for value in values) else None
    yield "value", Variable(("row",), values, "the number", nan_means=missing)


def write_learned(path: Path, dictionary: np.ndarray, origin: Origin, remark: str) -> None:
    """Write a dictionary (obs, atom) that was learned, with what is to be said of it."""
    variable = Variable(("obs", "atom"), dictionary.astype(np.float32), "dictionary")
    store.write(path, "learned", [("dictionary", variable)], origin, remark=remark)


def read_learned(path: Path) -> tuple[np.ndarray, str, str]:
    """Return a learned dictionary (obs, atom), the remark on it, and its digest.

    Raises
    ------
    StoreError
        If it is missing, damaged, or of another kind.
    """
    file = store.read(path, "learned")
    return file["dictionary"].values, file.attrs["remark"], file.attrs["digest"]
