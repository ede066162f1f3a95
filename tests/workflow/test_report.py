"""Snakemake's own report of a run: figures with what they ask and how to read them."""

import zipfile

from sae_surgery import figures

FILES = [f"{name}{end}.png" for name in ("latents", "samples") for end in ("", "_all")]


def test_the_report_holds_the_figures_their_questions_and_captions(finished):
    finished.succeed("--report", "report.zip")
    with zipfile.ZipFile(finished.folder / "report.zip") as report:
        held = {name.rpartition("/")[2] for name in report.namelist()}
        page = report.read("report/report.html").decode()
    assert set(FILES) <= held
    for name in ("latents", "samples"):
        assert figures.load(name).QUESTION.partition("?")[0] in page
        assert f"snakemake fig_{name}</tt>" in page
    assert ">tiny</tt>" in page
    assert '"rule": "fit"' in page


def test_the_report_is_one_page_if_asked_for(finished):
    finished.succeed("fig_latents", "--report", "report.html")
    page = (finished.folder / "report.html").read_text(encoding="utf-8")
    assert "latents_all.png" in page
    assert "the level of chance" in page
