"""The page: whole by itself, the same bytes again, and nothing left out."""

import re

import pytest

from published_tables import make_table
from sae_surgery.pages.comparison.criteria import Criteria
from sae_surgery.pages.comparison.findings import Finding
from sae_surgery.pages.comparison.page import as_html, as_markdown
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
    assert not re.search(r"<script|<link|@import|https?://", page)


def test_it_suits_a_phone_and_paper(page):
    assert 'name="viewport" content="width=device-width' in page
    assert "@media print" in page
    tables = page.count("<table>")
    assert tables == page.count('<div class="scroll"><table>') > 5


def test_every_compared_number_is_there(rows, page):
    compared = rows[rows["verdict"] != "missing"]
    _, _, every = page.partition("<h2>Every number</h2>")
    assert len(re.findall(r"<tr><td[^\n]*(?:agrees|differs|undecided)</td>", every)) == len(
        compared
    )


def test_missing_numbers_are_counted(rows, page):
    missing = (rows["verdict"] == "missing").sum()
    assert f"{len(rows) - missing} compared, {missing} missing" in page
    assert '<td class="t">fista_oracle</td><td class="t"></td><td>500</td>' in page


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
