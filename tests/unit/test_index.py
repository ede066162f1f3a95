"""The index of a run: links to what is there, words on what is not, and what pages say in short."""

import json
import re
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest

from sae_surgery.errors import SurgeryError
from sae_surgery.pages.index.page import as_html
from sae_surgery.record.jobs import MARK
from sae_surgery.steps.index import index
from sae_surgery.steps.report import report

VERDICT = pd.DataFrame(
    {
        "method": ["sae_topk", "sae_topk", "sae_mp", "sae_mp"],
        "n_latents": 50,
        "metric": "mcc_ood",
        "part": ["encoder", "directions"] * 2,
        "of": "distance",
        "gain": [0.1, 0.3, 0.2, 0.4],
    }
)
CLAIMS = pd.DataFrame(
    {
        "claim": ["one", "one", "two", "three"],
        "outcome": ["holds", "holds", "does not hold", "holds"],
        "close": [True, False, None, False],
    }
)
COMPARISON = pd.DataFrame(
    {
        "verdict": ["agrees", "differs", "missing"],
        "within": [True, False, False],
        "expected": "exact",
        "distance": [0.0, 0.1, None],
        "tolerance": 0.01,
    }
)
JOB = {"step": "fit", "inputs": [], "outputs": ["a"], "began": 0, "ended": 7200, "host": "node 1"}
JOB |= {"slurm_job": None, "threads": 1, "gpu": None}


def put(run, *names, text=""):
    for name in names:
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text(text, encoding="utf-8")


@pytest.fixture
def run(tmp_path):
    """Return the folder of a run that has all pages by one protocol, and a figure."""
    folder = tmp_path / "100 % mine"
    for name, rows in {"verdict": VERDICT, "claims": CLAIMS, "comparison": COMPARISON}.items():
        put(folder, f"paper/{name}.html", f"paper/{name}.md")
        rows.to_csv(folder / f"paper/{name}.csv", index=False)
    put(folder, *(f"paper/figures/latents{end}" for end in (".png", ".pdf", ".csv", "_all.png")))
    return folder


def links(page):
    """Return the files that a page links or shows, by their paths."""
    found = re.findall(r'(?:href|src)="([^"#]+)(?:#[^"]*)?"', page)
    return {unquote(each) for each in found}


def test_it_links_all_pages_and_figures_and_nothing_that_is_not_there(run):
    page = as_html(run)
    expected = {str(path.relative_to(run)) for path in run.rglob("*.*")}
    assert links(page) == expected
    assert '<img src="paper/figures/latents.png"' in page
    assert not re.search(r"<script|<link|https?://", page)


def test_it_says_what_each_page_says_in_short(run):
    page = as_html(run)
    assert "mostly the directions of its atoms for 2 of 2 pairs" in page
    assert "Of 3 claims of the paper, 2 hold and 1 does not hold; 1 rests on" in page
    assert "1 are shown to agree and 1 to differ" in page
    assert 'href="paper/comparison.html#verdict=differs"' in page


def test_it_says_what_the_run_has_not(run):
    for path in (run / "paper").glob("claims.*"):
        path.unlink()
    page = as_html(run)
    assert "The run has none. <code>snakemake claims</code> makes them" in page
    assert "<code>sae-surgery examine</code> makes it" in page
    assert "The run has nothing by the protocol strict." in page
    assert "Not drawn by this protocol: audit, " in page
    assert page.count("The run has none.") == 4
    assert not {each for each in links(page) if "claims" in each}


def test_figures_of_other_kinds_are_shown_or_linked(run):
    figures = run / "paper/figures"
    (figures / "latents.png").rename(figures / "latents.svg")
    put(run, "paper/figures/samples.pdf")
    page = as_html(run)
    assert '<img src="paper/figures/latents.svg"' in page
    assert "<b>samples</b>" in page
    assert "paper/figures/samples.pdf" in links(page)
    assert page.count("<img") == 1


def test_a_report_adds_manifest_and_timeline(run):
    put(run, "logs/fit/a.log", text=f"{MARK}{json.dumps(JOB)}\n")
    index(run)
    assert "It is written with the manifest." in (run / "index.html").read_text(encoding="utf-8")
    report(run, {})
    page = (run / "index.html").read_text(encoding="utf-8")
    assert {"manifest.json", "timeline.pdf", "timeline.png"} <= links(page)
    assert "<dt>hosts</dt><dd>node 1</dd>" in page
    assert "<dd>1, of 2 hours in all</dd>" in page


@pytest.mark.parametrize("text", ["kept, too", "[]", "{}"])
def test_a_manifest_that_cannot_be_read_is_said_to_be_one(run, text):
    put(run, "manifest.json", text=text)
    page = as_html(run)
    assert "It is not one that this version reads" in page
    assert "manifest.json" in links(page)


def test_numbers_of_another_version_are_said_to_be_some(run):
    CLAIMS.drop(columns="close").to_csv(run / "paper/claims.csv", index=False)
    page = as_html(run)
    assert "Its numbers are not those that this version reads" in page
    assert {"paper/claims.html", "paper/claims.csv"} <= links(page)


def test_a_run_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(SurgeryError, match="mine: there is no such folder"):
        index(tmp_path / "mine")
    assert not list(Path(tmp_path).iterdir())
