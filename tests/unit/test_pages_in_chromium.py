"""The pages of a run as a browser shows them: at three widths, in both schemes, by the keyboard."""

import re
from itertools import product
from pathlib import Path

import pandas as pd
import pytest

from page_checks import CONTRAST, WIDTHS, faults, unreachable
from sae_surgery.pages import shared
from sae_surgery.pages.claims import PAPER
from sae_surgery.steps.claims import claims
from sae_surgery.steps.compare import compare
from sae_surgery.steps.draw import draw
from sae_surgery.steps.index import index
from sae_surgery.steps.verdict import verdict

TABLES = Path(__file__).parents[2] / "results/reference/paper/tables"
COMPARED = ("latents", "support_recovery", "phase_transition")
PAGES = ("index", "paper/verdict", "paper/claims", "paper/comparison")
SHOWN = """
(() => {
  const rows = document.querySelectorAll(".experiment tbody tr:not(.group)");
  return [...rows].filter(each => each.checkVisibility({contentVisibilityAuto: false}))
    .reduce((sum, each) => sum + Number(each.dataset.count ?? 1), 0);
})()
"""
UNFOLD = "document.querySelectorAll('details').forEach(each => each.open = true)"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return a run's folder with all pages, made from the tables that come with the project."""
    folder = tmp_path_factory.mktemp("runs") / "a <run>"
    scored = folder / "paper"
    compare([TABLES / f"{name}.nc" for name in COMPARED], scored, {})
    verdict([TABLES / f"{name}.nc" for name in ("frozen_decoder", "support_recovery")], scored)
    claims(PAPER, sorted(TABLES.iterdir()), scored)
    draw("latents", [TABLES / "latents.nc"], scored / "figures")
    index(folder)
    return folder


@pytest.fixture(scope="module")
def page(run):
    return run / "paper/comparison.html"


@pytest.fixture(scope="module")
def rows(run):
    return pd.read_csv(run / "paper/comparison.csv")


def choose(chromium, **chosen):
    for name, value in chosen.items():
        chromium.run(f"form.{name}.value = {value!r}")
        chromium.run(f"form.{name}.dispatchEvent(new Event('change', {{bubbles: true}}))")


@pytest.mark.parametrize(("name", "width"), [*product(PAGES, WIDTHS)])
def test_a_page_is_whole_and_legible(chromium, run, name, width):
    assert faults(chromium, run / f"{name}.html", width) == {}
    assert faults(chromium, run / f"{name}.html", width, dark=True) == {}


@pytest.mark.parametrize("name", PAGES)
def test_the_keyboard_reaches_all_of_a_page(chromium, run, name):
    assert unreachable(chromium, run / f"{name}.html") == 0


@pytest.mark.parametrize("verdict", ["agrees", "differs", "undecided", "not comparable", "missing"])
def test_the_filter_shows_one_verdict(chromium, page, rows, verdict):
    chromium.visit(page, 800)
    choose(chromium, verdict=verdict.replace(" ", "-"))
    count = int((rows["verdict"] == verdict).sum())
    assert chromium.run(SHOWN) == count
    assert chromium.run("form.shown.value").startswith(f"{count} number")
    assert chromium.errors() == []


def test_the_filter_shows_a_method_and_then_all_again(chromium, page, rows):
    chromium.visit(page, 800)
    choose(chromium, method="sae_topk")
    of_method = rows[rows["method"] == "sae_topk"]
    assert chromium.run(SHOWN) == len(of_method)
    choose(chromium, verdict="undecided")
    assert chromium.run(SHOWN) == (of_method["verdict"] == "undecided").sum() > 0
    assert chromium.run("location.hash") == "#verdict=undecided&method=sae_topk"
    chromium.run("form.querySelector('button').click(); new Promise(done => setTimeout(done, 50))")
    assert chromium.run(SHOWN) == len(rows)
    assert chromium.run("location.hash") == ""


def test_the_filter_hides_what_it_leaves_empty(chromium, page, rows):
    chromium.visit(page, 800)
    choose(chromium, verdict="differs")
    differ = rows[rows["verdict"] == "differs"]
    groups = differ[["experiment", "method", "source", "why"]].drop_duplicates()
    visible = "[...document.querySelectorAll('.experiment {}')].filter(e => e.checkVisibility())"
    assert chromium.run(f"{visible.format('tbody')}.length") == len(groups)
    shown = chromium.run(f"{visible.format('summary')}.map(e => e.textContent.split(':')[0])")
    assert shown == list(differ["experiment"].unique())


def test_an_address_can_ask_for_a_verdict(chromium, page, rows):
    chromium.visit(page, 800, at="#verdict=differs")
    assert chromium.run(SHOWN) == (rows["verdict"] == "differs").sum() > 0
    assert abs(chromium.run("document.getElementById('every').getBoundingClientRect().top")) < 60


def test_an_address_that_asks_for_what_there_is_not_gets_all(chromium, page, rows):
    chromium.visit(page, 800, at="#verdict=wrong&method=nobody")
    chromium.run(UNFOLD)
    assert chromium.run(SHOWN) == len(rows)


def test_keys_alone_choose_a_verdict(chromium, page, rows):
    chromium.visit(page, 800)
    chromium.run("form.verdict.focus()")
    chromium.press("ArrowDown")
    assert chromium.run("form.verdict.value") == "agrees"
    assert chromium.run(SHOWN) == (rows["verdict"] == "agrees").sum()


def test_without_scripts_the_page_is_the_whole_table(chromium, page, rows):
    chromium.visit(page, 800, scripts=False)
    assert not chromium.run("document.getElementById('filter').checkVisibility()")
    chromium.run(UNFOLD)
    assert chromium.run(SHOWN) == len(rows)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_reason_is_in_view_wherever_a_row_is(chromium, page, width):
    chromium.visit(page, width)
    choose(chromium, verdict="undecided")
    places = chromium.run("""
    [...document.querySelectorAll(".experiment tbody:not([hidden])")].map(group => {
      const rows = [...group.rows].filter(each => !each.hidden);
      const row = rows.at(-1);
      row.scrollIntoView({block: "center"});
      const head = group.rows[0].cells[0].getBoundingClientRect();
      const below = row.getBoundingClientRect();
      return [rows.length, head.top, head.bottom - below.top, head.right - innerWidth];
    })
    """)
    assert max(n_rows for n_rows, *_ in places) > 40
    for _, top, overlap, right in places:
        assert top >= 0 and overlap <= 1 and right <= 0


def luminance(colour):
    """Return the relative luminance of #rrggbb as WCAG 2.2 defines it."""
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_the_colours_of_the_style_are_legible_in_both_schemes():
    style = (shared.FOLDER / "style.css.jinja").read_text(encoding="utf-8")
    schemes = [dict(re.findall(r"--(\w+): (#\w{6})", part)) for part in style.split(":root")[1:3]]
    assert len(schemes) == 2
    for colours in schemes:
        for text, ground in product(("ink", "muted", "link", "good", "bad"), ("paper", "soft")):
            dark, light = sorted(luminance(colours[name]) for name in (text, ground))
            assert (light + 0.05) / (dark + 0.05) >= CONTRAST, (text, ground, colours)
