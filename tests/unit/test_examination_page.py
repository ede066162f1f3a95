"""The page: sentences follow the numbers, which are the same everywhere; nothing from outside."""

import html
import re

import numpy as np
import pandas as pd
import pytest

from examined import subject
from page_checks import WIDTHS, faults, unreachable
from sae_surgery import examination
from sae_surgery.files.answers import COLUMNS
from sae_surgery.pages.examination.findings import Finding, Given
from sae_surgery.pages.examination.page import as_frame, as_html, as_markdown
from sae_surgery.pages.examination.words import verdict

FACTS = {
    "path": "sae.npz",
    "format": "plain",
    "architecture": "topk",
    "notes": ["Read as it stands."],
    "promised": {"k": 3.0},
    "checked_rows": 100,
    "l0": 3.0,
    "explained_variance": 0.5,
    "dead": 0.0,
    "norms": [1.0, 1.0, 1.0],
    "overruled": ["L0 is 9 where the file says k = 3: read as ReLU?"],
    "counted_l0": 3.0,
    "counted_explained_variance": 0.5,
}
SIZES = {"obs": 24, "atoms": 40, "learn": 240, "held_out": 120, "ood": 0, "rows": 360}
SIZES |= {"repeated": 7, "seen": 5, "counted": 360}


def given(name, rows, notes=(), status="ok"):
    frame = pd.DataFrame([dict(zip(COLUMNS, row, strict=True)) for row in rows], columns=COLUMNS)
    return Given(name, examination.load(name), frame, notes, status)


def finding(name, *answers):
    return Finding(name, FACTS, SIZES, {each.name: each for each in answers})


def answered(name, asked, status="ok"):
    answer = examination.load(name).answer(asked)
    rows = [[getattr(row, column) for column in COLUMNS] for row in answer.rows]
    return given(name, rows, answer.notes, status)


@pytest.fixture(scope="module")
def findings():
    asked = subject(lambda z: 0.5 * z)
    names = ("encoder", "decoder", "planted", "health", "stability")
    answers = [answered(name, asked) for name in names]
    answers.append(given("labels", [], status="skipped: no labels were given"))
    return [finding("mine", *answers), finding("other", *answers)]


def on_encoder(own, best, magnitudes, low, high):
    held = ("held_out", np.nan)
    return given(
        "encoder",
        [
            ("encoder", "explained_variance", *held, own, own - 0.01, own + 0.01),
            ("omp", "explained_variance", *held, best, best - 0.01, best + 0.01),
            ("encoder", "l0", *held, 16.0, np.nan, np.nan),
            ("gap", "gain", *held, best - own, low, high),
            ("gap", "removed", *held, (best - own) / (1 - own), 0.1, 0.3),
            ("magnitudes", "gain", *held, magnitudes, np.nan, np.nan),
            ("support", "gain", *held, best - own - magnitudes, np.nan, np.nan),
        ],
    )


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((0.80, 0.85, 0.01, 0.04, 0.06), "25 % [10, 30] of what it leaves unexplained"),
        ((0.80, 0.85, 0.01, 0.04, 0.06), "80 % of that due to its support"),
        ((0.80, 0.85, 0.04, 0.04, 0.06), "80 % of that due to its magnitudes"),
        ((0.80, 0.801, 0.0, 0.0, 0.002), "not at fault"),
        ((0.80, 0.81, 0.0, -0.01, 0.03), "no difference that these samples can show"),
    ],
)
def test_the_sentence_on_the_encoder_follows_its_numbers(numbers, said):
    (sentence,) = verdict(finding("mine", on_encoder(*numbers)))
    assert said in sentence
    assert "80.0 % [79.0, 81.0]" in sentence


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.02, 0.04, "the decoder is at fault as well"),
        (-0.04, -0.02, "none of those that were learned is as good"),
        (-0.01, 0.01, "as good a dictionary"),
    ],
)
def test_the_sentence_on_the_decoder_follows_its_numbers(low, high, said):
    nan, gain = np.nan, (low + high) / 2
    rows = [
        ("decoder", "k", "held_out", nan, 16.0, nan, nan),
        ("decoder", "explained_variance", "held_out", 16.0, 0.85, nan, nan),
        ("scratch", "explained_variance", "held_out", 16.0, 0.85 + gain, nan, nan),
        ("scratch", "gain", "held_out", nan, gain, low, high),
    ]
    (sentence,) = verdict(finding("mine", given("decoder", rows)))
    assert said in sentence


@pytest.mark.parametrize(
    ("own", "apart", "said"),
    [
        ((0.8, 0.82), (0.5, 0.7), "what solving wins, it wins in recombination"),
        ((0.8, 0.9), (0.5, 0.7), "it wins in both"),
        ((0.8, 0.6), (0.5, 0.7), "loses where combinations are usual"),
        ((0.8, 0.6), (0.7, 0.6), "the encoder is the better one even there"),
        ((0.8, 0.8), (0.7, 0.7), "neither is much better"),
    ],
)
def test_the_sentence_on_recombination_follows_its_numbers(own, apart, said):
    rows = [
        (name, "f1", split, 1.0, value, np.nan, np.nan)
        for split, values in (("own", own), ("recombined", apart))
        for name, value in zip(("encoder", "omp"), values, strict=True)
    ]
    (sentence,) = verdict(finding("mine", given("planted", rows)))
    assert said in sentence


def test_where_nothing_was_planted_the_sentence_says_why():
    (sentence,) = verdict(finding("mine", given("planted", [], ["Codes may be negative."])))
    assert sentence == "Nothing was planted: Codes may be negative."


def test_the_page_needs_no_other_file(findings):
    page = as_html(findings, "Title")
    assert '<meta name="viewport" content="width=device-width' in page
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", page)
    assert "@import" not in page and "<script" not in page
    assert page.count("<img alt=") == page.count("data:image/png;base64,") == 10
    assert "@media print" in page


def test_the_page_says_how_it_was_read_and_what_was_refused(findings):
    for text in (html.unescape(as_html(findings, "Title")), as_markdown(findings, "Title")):
        assert "Overruled: L0 is 9 where the file says k = 3" in text
        assert "Labels: left out, no labels were given" in text
        assert "5 held-out rows equal one to learn from" in text
        assert "Side by side" in text
        assert text.count("a planted truth takes") + text.count("A planted truth takes") == 1


def test_markdown_and_html_have_the_same_verdict(findings):
    sentences = verdict(findings[0])
    assert len(sentences) == 3
    page, text = html.unescape(as_html(findings, "Title")), as_markdown(findings, "Title")
    assert all(sentence in page and sentence in text for sentence in sentences)


def test_every_number_is_in_the_frame(findings):
    frame = as_frame(findings)
    assert set(frame["sae"]) == {"mine", "other"}
    assert len(frame) == sum(len(a.rows) for f in findings for a in f.answers.values())


def test_a_question_without_a_figure_has_its_tables(findings, monkeypatch):
    monkeypatch.setattr("sae_surgery.pages.examination.plots._DRAWN", {})
    page = as_html(findings, "Title")
    assert "<img" not in page
    assert "share of atoms that are never active" in page


@pytest.fixture(scope="module")
def page(findings, tmp_path_factory):
    """Return the page as a file."""
    path = tmp_path_factory.mktemp("examined") / "page.html"
    path.write_text(as_html(findings, "Title"), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_overflows_and_all_is_legible(chromium, page, width):
    assert faults(chromium, page, width) == {}
    assert faults(chromium, page, width, dark=True) == {}
    assert chromium.run("document.images.length") == 10


def test_the_keyboard_reaches_all_of_it(chromium, page):
    assert unreachable(chromium, page) == 0
