"""Redrawing from kept tables: figures come from them alone, and nothing is ever computed."""

import shutil

import pytest

from project import CELL, Project, new_project

TABLES = "paper/tables"


@pytest.fixture
def kept(reference, tmp_path) -> Project:
    """Return a fresh project with a finished run's tables, dated as a clone would date them."""
    project = new_project(tmp_path / "project")
    project.configure(redraw=True)
    copied = {"copy_function": shutil.copyfile}
    shutil.copytree(reference.results / TABLES, project.results / TABLES, **copied)
    return project


def test_all_that_follows_from_tables_is_made_from_them_alone(kept, reference):
    manifest = kept.results / "manifest.json"
    manifest.write_text("kept, too", encoding="utf-8")
    kept.succeed()
    drawn = kept.contents()
    finished = reference.contents()
    scored = {name for name in finished if name.startswith("paper/")}
    expected = {name for name in scored if not name.startswith("paper/metrics")}
    assert drawn == {name: finished[name] for name in expected}
    assert manifest.read_text(encoding="utf-8") == "kept, too"
    assert "Nothing to be done" in kept.succeed()


def test_a_table_that_only_looks_newer_redraws_nothing(kept):
    kept.succeed("fig_latents")
    for table in (kept.results / TABLES).iterdir():
        table.touch()
    assert kept.planned("fig_latents") == set()


def test_a_knob_redraws_its_figures_and_computes_nothing(kept):
    kept.succeed("figures")
    assert kept.planned("figures") == set()
    kept.configure(redraw=True, plotting={"metrics": {"latents": ["mcc_ood"]}})
    assert kept.planned("figures") == {"draw latents"}
    kept.configure(redraw=True, plotting={"titles": False, "formats": ["svg"]})
    assert kept.planned("figures") == {"draw latents", "draw samples"}
    kept.succeed("figures")
    drawn = kept.results / "paper/figures"
    assert (drawn / "latents_all.svg").exists()
    assert kept.planned("figures") == set()


def test_one_figure_needs_no_other_table(kept):
    (kept.results / TABLES / "samples.nc").unlink()
    assert kept.planned("fig_latents") == {"draw latents", "fig_latents"}
    refused = kept.run("fig_samples")
    assert refused.returncode != 0
    assert f"results/tiny/{TABLES}/samples.nc: this would have to be computed" in refused.stdout


@pytest.mark.parametrize(
    "asked",
    [
        "data",
        "models",
        "surgeries",
        "metrics",
        f"results/tiny/data/{CELL}.nc",
        f"results/tiny/models/{CELL}/pca.nc",
        f"results/tiny/codes/{CELL}/pca.nc",
        f"results/tiny/paper/metrics/{CELL}.nc",
    ],
)
def test_what_would_need_computing_is_refused_by_name_and_with_the_way_out(kept, asked):
    refused = kept.run(asked)
    assert refused.returncode != 0
    assert f"{asked}: this would have to be computed" in refused.stdout
    assert "tables in results/tiny/paper/tables" in refused.stdout
    assert "Traceback" not in refused.stdout
    assert {path.name for path in kept.results.rglob("*.nc")} == {"latents.nc", "samples.nc"}


def test_the_way_out_computes(kept):
    planned = kept.planned("models", "--config", "redraw=false")
    assert {"simulate", "fit pca"} <= planned
