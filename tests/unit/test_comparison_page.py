"""The page: whole by itself, the same bytes again, and nothing left out."""

import html
import re
from collections import Counter

import pytest

from published_tables import make_table
from sae_surgery.pages.comparison.criteria import Criteria
from sae_surgery.pages.comparison.findings import Finding
from sae_surgery.pages.comparison.page import as_html, as_markdown, slug
from sae_surgery.pages.comparison.rows import compare

CRITERIA = Criteria.of({})
TITLE = "Published and reproduced"


@pytest.fixture(scope="module")
def rows():
    table = make_table("latents", [50, 100])
    table["mcc_id"] = table["mcc_id"] + 0.1
    return compare([table.assign_attrs(table.attrs)], CRITERIA)


@pytest.fixture(scope="module")
def page(rows):
    return as_html(rows, CRITERIA, TITLE, [Finding("exp_<x>.json", "seed 2 is missing")])


def test_it_needs_no_other_file(page):
    links = re.findall(r"""(?:src|href)\s*=\s*["']([^"']*)|url\(([^)]*)\)""", page)
    assert all(link.startswith("data:") for pair in links for link in pair if link)
    assert not re.search(r"<script [^>]*src|<link|@import|https?://|fetch\(", page)


def test_it_suits_a_phone_and_paper(page):
    assert 'name="viewport" content="width=device-width' in page
    assert "@media print" in page
    # Those of many columns scroll by themselves; those of numbers fit every width.
    scrolling = re.findall(r'<div class="scroll" [^>]*tabindex="0"><table', page)
    assert len(scrolling) == 2
    assert page.count("<table") == len(scrolling) + page.count('<table class="numbers">')


def every_number(page):
    """Return the part of a page that has every number, and what stands there by method."""
    every = page.partition("Every number</h2>")[2].partition("<h2>")[0]
    return every, re.findall(r'<tbody data-method="(\w+)">(.*?)</tbody>', every, re.DOTALL)


def test_every_compared_number_is_there(rows, page):
    compared = rows[rows["verdict"] != "missing"]
    every, _ = every_number(page)
    for verdict, count in compared["verdict"].value_counts().items():
        assert every.count(f'<tr class="{slug(verdict)}">') == count


def test_above_numbers_stand_their_method_and_their_reason(rows, page):
    _, groups = every_number(page)
    for row in rows[rows["verdict"] == "differs"].itertuples():
        head = f"<b>{row.method}</b>, {row.source}, {row.expected}: {html.escape(row.why)}</th>"
        written = f"{row.published:.4g} ±"
        found = [body for method, body in groups if method == row.method and written in body]
        assert any(head.replace("&#x27;", "&#39;") in body for body in found)


def test_missing_numbers_are_counted(rows, page):
    lacking = rows["verdict"] == "missing"
    missing = lacking.sum()
    assert f"{len(rows) - missing} compared, {missing} missing" in page
    _, groups = every_number(page)
    counted = Counter()
    for method, body in groups:
        counted[method] += sum(map(int, re.findall(r'data-count="(\d+)"', body)))
    assert +counted == Counter(rows[lacking]["method"])
    assert re.search(r"\d numbers n = 500, m = \d+</td>", page)


def test_findings_are_told_and_escaped(page):
    assert "exp_&lt;x&gt;.json" in page
    assert "seed 2 is missing" in page
    assert "exp_<x>" not in page


def test_the_same_input_gives_the_same_bytes(rows, page):
    findings = [Finding("exp_<x>.json", "seed 2 is missing")]
    assert as_html(rows.copy(), CRITERIA, TITLE, findings) == page


def test_in_short_it_holds_sums_and_the_worst(rows):
    text = as_markdown(rows, TITLE)
    assert text.startswith(f"# {TITLE}\n")
    assert "| all | exact |" in text
    first = text.partition("## Farthest apart")[2].splitlines()[6]
    assert "differs" in first
    assert len(text) < 5000


def test_a_run_that_shares_no_cell_has_a_page_too():
    table = make_table("latents", [50])
    table.attrs["settings"] = table.attrs["settings"].replace(
        "n50_k10_m33_s5000", "n20_k3_m12_s200"
    )
    nothing = compare([table], CRITERIA)
    assert "0 compared, 288 missing" in as_html(nothing, CRITERIA, TITLE, None)
    assert "288 published numbers on its experiments the run has 0.\n" in as_markdown(
        nothing, TITLE
    )
