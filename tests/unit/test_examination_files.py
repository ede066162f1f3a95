"""Readings, answers and learned dictionaries as files."""

import numpy as np
import pytest

from examined import subject
from sae_surgery.examination import HELD_OUT
from sae_surgery.examination.base import Answer, Row
from sae_surgery.files.answers import (
    COLUMNS,
    read_answer,
    read_learned,
    write_answer,
    write_learned,
)
from sae_surgery.files.readings import Reading, read_reading, require_rows, write_reading
from sae_surgery.files.store import SKIPPED, Origin, StoreError


def test_an_answer_comes_back(tmp_path):
    rows = [Row("encoder", "f1", 0.5, 0.4, 0.6, at=1.0), Row("omp", "f1", 0.7)]
    write_answer(tmp_path / "a.nc", Answer(rows, ["Noted."]), Origin("a"), question="q", sae="s")
    frame, attributes = read_answer(tmp_path / "a.nc")
    assert (attributes["question"], attributes["sae"], attributes["notes"]) == (
        "q",
        "s",
        ["Noted."],
    )
    expected = [[getattr(row, column) for column in COLUMNS] for row in rows]
    assert frame[list(COLUMNS)].astype(object).where(frame.notna(), None).values.tolist() == [
        [None if each != each else each for each in row] for row in expected
    ]


@pytest.mark.parametrize("status", ["ok", f"{SKIPPED}no labels were given"])
def test_an_answer_without_rows_comes_back(tmp_path, status):
    write_answer(tmp_path / "a.nc", Answer([]), Origin("a", status=status))
    frame, attributes = read_answer(tmp_path / "a.nc")
    assert frame.empty and list(frame) == list(COLUMNS)
    assert attributes["status"] == status


@pytest.mark.parametrize("found", [lambda z: z, lambda z: 0 * z])
def test_a_reading_comes_back(tmp_path, found):
    asked = subject(found)
    reading = Reading(
        dictionary=asked.dictionary,
        bias=np.zeros(len(asked.dictionary), np.float32),
        observations=asked.observations[HELD_OUT],
        codes=asked.codes[HELD_OUT],
        fired=asked.fired,
        n_counted=asked.n_counted,
        signed=False,
        facts={"path": "sae"},
    )
    write_reading(tmp_path / "r.nc", reading, Origin("r", inputs={"rows": "abc"}))
    back = read_reading(tmp_path / "r.nc")
    assert (back.codes.counts == reading.codes.counts).all()
    assert (back.codes.atoms == reading.codes.atoms).all()
    assert np.allclose(back.codes.values, reading.codes.values)
    assert (back.observations == reading.observations).all()
    assert (back.facts, back.n_counted, back.signed) == ({"path": "sae"}, asked.n_counted, False)
    require_rows(tmp_path / "r.nc", back, "abc")
    with pytest.raises(StoreError, match="other rows"):
        require_rows(tmp_path / "r.nc", back, "abd")


def test_a_learned_dictionary_comes_back(tmp_path):
    write_learned(tmp_path / "l.nc", np.eye(3), Origin("l"), "It converged.")
    dictionary, remark, digest = read_learned(tmp_path / "l.nc")
    assert (dictionary == np.eye(3)).all() and remark == "It converged." and len(digest) == 64
