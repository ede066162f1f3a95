"""Text in figures: none is cut, over another or too small, however many methods there are."""

import re
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from figure_tables import LEVELS, OTHERS, SURGERIES, SWEEPS, make_table
from sae_surgery import figures
from sae_surgery.drawing import legible, style
from sae_surgery.plan.plotting import Plotting

TWENTY = {
    **LEVELS,
    "lista_oracle": ("LISTA (oracle)", "oracle", 0.95),
    "dl_lista": ("DL-LISTA", "sparse coding", 0.8),
    "raw": ("Raw observation", "linear", 0.2),
    **{
        f"relu_{number}": (f"SAE (ReLU), penalty 0.00{number}", "sae", 0.1 * number)
        for number in range(1, 7)
    },
}


def drawings(name, levels):
    tables = {
        experiment: make_table(experiment, tuple(levels), levels=levels)
        for experiment in figures.inputs(name)
    }
    return figures.load(name).draw(tables)


def faults(figure):
    style.settle(figure)
    return list(legible.faults(figure))


@pytest.mark.parametrize("name", figures.available())
def test_all_text_of_twenty_methods_can_be_read(name):
    assert len(TWENTY) == 20
    for stem, figure in drawings(name, TWENTY).items():
        assert faults(figure) == [], stem


@pytest.mark.parametrize("name", figures.available())
def test_eleven_methods_fit_on_a_page_which_would_shrink_them_otherwise(name):
    template = (Path(__file__).parents[2] / "paper/template.typ").read_text(encoding="utf-8")
    (tallest,) = re.findall(r"#let _tallest = (\d+)mm", template)
    for stem, figure in drawings(name, LEVELS).items():
        assert figure.get_figheight() * 25.4 <= float(tallest), stem
        assert faults(figure) == [], stem


@pytest.mark.parametrize("name", figures.available())
def test_a_question_and_its_answer_stand_on_top(name):
    for figure in drawings(name, LEVELS).values():
        head = figure.legends[0]
        question = figures.load(name).QUESTION.partition("?")[0] + "?"
        assert " ".join(head.get_title().get_text().split()) == question
        (answer,) = head.get_texts()
        assert answer.get_text().endswith(".")
        assert "nan" not in answer.get_text()


@pytest.mark.parametrize("name", [*SWEEPS, *SURGERIES, *OTHERS])
def test_without_titles_there_is_no_head(name):
    if name not in figures.available():
        pytest.skip("a table of other figures")
    if figures.inputs(name) != (name,):
        pytest.skip("a figure of several tables")
    question = figures.load(name).QUESTION.partition("?")[0] + "?"
    with style.configured(Plotting(titles=False)):
        for figure in drawings(name, LEVELS).values():
            titles = [legend.get_title().get_text() for legend in figure.legends]
            assert question not in " ".join(" ".join(titles).split())


def with_texts(*places, **look):
    figure = Figure(figsize=(2, 1))
    for place, text in places:
        figure.text(*place, text, **look)
    return faults(figure)


def test_text_beyond_the_edge_is_found():
    assert with_texts(((0.1, 0.5), "inside")) == []
    (fault,) = with_texts(((0.9, 0.5), "too far right"))
    assert fault == "'too far right' is cut by the edge"


def test_text_over_text_is_found():
    (fault,) = with_texts(((0.1, 0.5), "below"), ((0.2, 0.55), "above"))
    assert fault == "'below' overlaps 'above'"


def test_small_text_is_found():
    (fault,) = with_texts(((0.1, 0.5), "small"), fontsize=5)
    assert fault == "'small' has 5.0 points, fewer than 6"


def test_ticks_beyond_the_limits_are_not_text():
    figure = Figure(figsize=(2, 1), layout="constrained")
    axis = figure.subplots()
    axis.set_xticks([0, 0.97, 1.01], ["first", "last", "beyond"])
    axis.set_xlim(0, 1)
    assert faults(figure) == []
    # Wide enough that the edge of the canvas is far from both.
    axis.set_xlim(0, 2)
    assert faults(figure) == ["'last' overlaps 'beyond'"]
