"""The manuscript's pages: figures near their text, the bibliography in one piece, no empty page."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import typst
from matplotlib.figure import Figure
from matplotlib.image import imread

from paper_run import make_run
from sae_surgery.figures import available

PAPER = Path(__file__).parents[2] / "paper"
WRAPPER = """
// A figure that floats is located where it was written; what is in it, where it is.
#show image: each => [#each#metadata(each.source) <drawn>]
#include "main.typ"
#let place(each) = (each.location().page(), each.location().position().y / 1pt)
#context [#metadata((
  drawn: query(<drawn>).map(each => (each.value, ..place(each))),
  tables: query(figure.where(kind: table)).map(each => (str(each.label), ..place(each))),
  references: query(ref).map(each => (str(each.target), each.location().page())),
  headings: query(heading).map(each => (each.body.at("text", default: ""), ..place(each))),
)) <layout>]
"""
LOWEST = 0.9
"""Share of the page above the page's number."""
LEAST = 0.25
"""Share of a page that must be filled, but of the last."""


HIGH = {"phase_transition": 5.5}
"""Heights of figures that are not as high as the others, in inches."""


def draw(run, height):
    """Draw grey figures, of a height in inches."""
    for name in available():
        size = (6.75, HIGH.get(name, height))
        Figure(figsize=size, facecolor="0.8").savefig(run / f"figures/{name}.pdf")
        Figure(figsize=(6.75, 8), facecolor="0.8").savefig(run / f"figures/{name}_all.pdf")


@pytest.fixture(scope="module", params=[2.0, 3.0, 3.5])
def typeset(request, tmp_path_factory):
    """Return where everything is, and the pages as pictures, of a run with all experiments."""
    root = tmp_path_factory.mktemp("paper")
    numbers = make_run(root / "run")
    draw(root / "run", request.param)
    shutil.copytree(PAPER, root / "paper", ignore=shutil.ignore_patterns("*.pdf"))
    wrapper = root / "paper" / "wrapper.typ"
    wrapper.write_text(WRAPPER, encoding="utf-8")
    given = {"root": str(root), "ignore_system_fonts": True}
    given |= {"sys_inputs": {"results": f"/{numbers.parent.name}"}}
    layout = json.loads(typst.query(str(wrapper), "<layout>", field="value", one=True, **given))
    layout["figures"] = layout["tables"] + [
        [f"fig:{Path(source).stem}", *place] for source, *place in layout["drawn"]
    ]
    pages = typst.compile(str(root / "paper/main.typ"), format="png", ppi=20, **given)
    return layout, [imread(io.BytesIO(page))[..., :3].min(axis=-1) for page in pages]


def test_figures_and_tables_stand_where_they_are_spoken_of_or_on_the_next_page(typeset):
    layout, _ = typeset
    ends = next(page for text, page, _ in layout["headings"] if text == "Bibliography")
    first = {}
    for target, page in layout["references"]:
        first.setdefault(target, page)
    near = {name: page - first[name] for name, page, _ in layout["figures"] if page <= ends}
    assert len(near) > 15
    assert set(near.values()) <= {0, 1}, near


def test_no_figure_and_no_table_interrupts_the_bibliography(typeset):
    layout, _ = typeset
    places = [(text, (page, y)) for text, page, y in layout["headings"]]
    index = next(i for i, (text, _) in enumerate(places) if text == "Bibliography")
    begin, end = places[index][1], places[index + 1][1]
    assert not [name for name, page, y in layout["figures"] if begin < (page, y) < end]


def test_no_page_is_nearly_empty(typeset):
    _, pages = typeset
    filled = []
    for page in pages[:-1]:
        inked = np.flatnonzero((page[: int(LOWEST * len(page))] < 0.9).any(axis=1))
        filled.append(inked[-1] / len(page))
    assert min(filled) > LEAST, filled


def test_nothing_reaches_over_the_edge_of_a_page(typeset):
    _, pages = typeset
    for page in pages:
        margin = page.shape[1] // 40
        assert (page[:, :margin] > 0.9).all() and (page[:, -margin:] > 0.9).all()
