"""Numbers in the text of documents are those of the tables that come with the project.

A number that is followed by a comment ``<!-- run/protocol/table metric method dim=place … -->`` is
the mean over the dimensions that the comment does not name; with ``minus dim=place`` at its end,
the size of the difference to the mean at another place.
"""

import re
from pathlib import Path

import pytest

from sae_surgery.files import store

PROJECT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/results.md")
TRACED = re.compile(r"(\d+\.\d+)<!-- (.+?) -->")
NOT_OF_TABLES = {
    # A version, and the paper's number.
    "README.md": {"3.11", "2603.28744"},
    "docs/results.md": {
        # Samples for each latent.
        "2.5",
        # A limit.
        "0.99",
        # Of the authors' own reruns, and differences of classes of numbers (REPRODUCE.md).
        *("0.03", "0.04", "0.07", "0.003", "0.014", "0.08", "1.3"),
        # Of single runs outside the kept tables (docs/dictionary_learning.md).
        *("0.32", "0.71", "0.39", "0.94", "0.88", "0.93"),
    },
}
"""Numbers that other sources decide, and what they are."""


def mean(table, metric, place):
    """Return the mean of a metric where coordinates have the values given as text."""
    dims = {key: table[key].dtype.type(value) for key, value in place.items()}
    return float(table[metric].sel(dims).mean())


def recomputed(query):
    """Return the number that a comment describes."""
    query, _, other = query.partition(" minus ")
    path, metric, method, *dims = query.split()
    folder, _, name = path.rpartition("/")
    place = {"method": method} | dict(each.split("=") for each in dims)
    table = store.read(PROJECT / "results" / f"{folder}/tables/{name}.nc", "table")
    value = mean(table, metric, place)
    if other:
        value = abs(value - mean(table, metric, place | dict([other.split("=")])))
    return value


@pytest.mark.parametrize(
    ("said", "query"),
    [
        pytest.param(said, query, id=f"{page}-{query}")
        for page in PAGES
        for said, query in TRACED.findall((PROJECT / page).read_text(encoding="utf-8"))
    ],
)
def test_a_number_is_the_one_of_its_table(said, query):
    digits = len(said.partition(".")[2])
    assert f"{recomputed(query):.{digits}f}" == said


@pytest.mark.parametrize("page", PAGES)
def test_every_number_of_the_text_is_traced(page):
    text = (PROJECT / page).read_text(encoding="utf-8")
    text = TRACED.sub("", text)
    text = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)|^\| `.*?$|^>.*?$", "", text, flags=re.S | re.M)
    assert set(re.findall(r"\d+\.\d+", text)) - NOT_OF_TABLES[page] == set()
