"""One count of what agrees: by one function, the same on every page, and as documents say it."""

import re
from pathlib import Path

import pandas as pd
import pytest

from published_tables import make_table
from sae_surgery.files import store
from sae_surgery.pages import published
from sae_surgery.pages.comparison.criteria import Criteria
from sae_surgery.pages.comparison.expectations import NONE
from sae_surgery.pages.comparison.page import as_html, as_markdown
from sae_surgery.pages.comparison.rows import INCOMPARABLE, MISSING, VERDICTS, compare
from sae_surgery.pages.comparison.summary import EVERYTHING, count, statement, sums, worst
from sae_surgery.pages.numbers import differing_rows, of_comparison

PROJECT = Path(__file__).parents[2]
TABLES = PROJECT / "results/reference/paper/tables"
CRITERIA = Criteria.of({})


def flat(text):
    """Return a text in one line, without marks of a quotation."""
    return " ".join(re.sub(r"^> ?", "", text, flags=re.MULTILINE).split())


@pytest.fixture(scope="module")
def kept():
    """Return the comparison of the tables that come with the project."""
    names = [name for name in published.available() if (TABLES / f"{name}.nc").exists()]
    return compare([store.read(TABLES / f"{name}.nc", "table") for name in names], CRITERIA)


def planted():
    """Return a comparison with rows of every kind, one of them far off."""
    support = make_table("support_recovery", [50])
    latents = make_table("latents", [50])
    latents["mcc_id"].loc[{"method": "fista_oracle"}] += 0.3
    return compare([support, latents], CRITERIA)


def test_documents_say_what_is_counted_on_the_kept_tables(kept):
    assert statement(kept) in flat((PROJECT / "docs/results.md").read_text(encoding="utf-8"))
    every = count(kept)
    in_short = (
        f"Of {every['compared']} published numbers that can be compared, {every['agrees']} are"
        f" shown to agree and {every['differs']} to differ"
    )
    assert in_short in flat((PROJECT / "README.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", ["docs/results.md", "REPRODUCE.md"])
def test_largest_differences_are_those_of_the_kept_tables(kept, page):
    chosen = kept[(kept["experiment"] == "latents") & kept["n_latents"].isin([50, 100])]
    chosen = chosen[chosen["metric"].isin(["mcc_id", "mcc_ood"])]
    largest = chosen["difference"].abs().groupby(chosen["method"]).max()
    found = 0
    for line in (PROJECT / page).read_text(encoding="utf-8").splitlines():
        methods = re.findall(r"`(\w+)`", line.split("|")[1]) if line.startswith("| `") else []
        said = re.findall(r"\| (0\.0\d+) \|", line)
        if said and set(methods) <= {*largest.index}:
            digits = len(said[0].partition(".")[2].lstrip("0"))
            assert float(said[0]) == float(f"{largest[methods].max():.{digits}g}"), line
            found += len(methods)
    assert found == 8


def test_every_page_counts_the_same(kept):
    found = {key: entry.value for key, entry in of_comparison(kept, "comparison.csv").items()}
    every = count(kept)
    for what, number in every.items():
        assert found[f"comparison/{EVERYTHING}/{what}"] == number
    totals = sums(kept).query("experiment == @EVERYTHING")
    for verdict in VERDICTS:
        assert totals[verdict].sum() == every[verdict]
    said = f"{every['agrees']} are shown to agree and {every['differs']} to differ"
    title = "Published and reproduced"
    assert said in as_markdown(kept, title)
    assert said in as_html(kept, CRITERIA, title, None)
    assert len(differing_rows(kept)) == min(12, every["differs"])
    assert (worst(kept, len(kept))["verdict"] == "differs").sum() == every["differs"]


def test_counts_from_the_file_are_those_of_the_rows(tmp_path):
    rows = planted()
    rows.to_csv(tmp_path / "comparison.csv", index=False, float_format="%.7g")
    read = pd.read_csv(tmp_path / "comparison.csv")
    assert count(read) == count(rows)
    assert statement(read) == statement(rows)


def test_what_is_not_comparable_is_neither_agreement_nor_difference():
    rows = planted()
    other = rows[rows["expected"] == NONE]
    assert set(other["verdict"]) == {INCOMPARABLE, MISSING}
    assert other[["p_closer", "p_farther"]].isna().all(axis=None)
    assert not other["within"].any()
    assert set(rows[rows["verdict"] == INCOMPARABLE]["expected"]) == {NONE}
    found = count(rows)
    assert found[INCOMPARABLE] > 0
    assert found["compared"] == found["agrees"] + found["differs"] + found["undecided"]
    assert found["published"] == found["compared"] + found[INCOMPARABLE] + found[MISSING]
    assert found["differs"] == 1


@pytest.mark.parametrize("write", [as_markdown, lambda *a: as_html(a[0], CRITERIA, a[1], None)])
def test_the_class_is_explained_where_it_is_shown(write):
    page = flat(write(planted(), "Published and reproduced"))
    assert "another quantity was published" in page
    assert "(class none)" in page
