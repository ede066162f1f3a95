"""The workflow as a whole: what runs, what runs again after which change, what survives a kill."""

import contextlib
import os
import re
import shutil
import subprocess
import time
from urllib.parse import unquote

import psutil
import pytest
import yaml

from project import CELL, ROOT, SECONDS, TINY

FIGURE_FILES = [".pdf", ".png", ".csv", "_all.pdf", "_all.png"]
NOTHING = set()


def after_models(project):
    """Return what hangs on models: all that there is but data and fits."""
    every = project.planned("--forceall")
    return {job for job in every if job != "simulate" and not job.startswith("fit ")}


def test_all_files_are_made(reference):
    made = reference.contents().keys()
    assert f"data/{CELL}.nc" in made
    for method in TINY["methods"]:
        assert {f"models/{CELL}/{method}.nc", f"codes/{CELL}/{method}.nc"} <= made
    for experiment in TINY["experiments"]:
        assert f"paper/tables/{experiment}.nc" in made
        assert {f"paper/figures/{experiment}{end}" for end in FIGURE_FILES} <= made
    assert {"paper/comparison.md", "paper/comparison.csv"} <= made
    assert {"paper/claims.md", "paper/claims.csv"} <= made
    assert (reference.folder / "paper/main.pdf").exists()


def test_the_index_leads_to_pages_figures_and_how_the_run_went(reference):
    index = (reference.results / "index.html").read_text(encoding="utf-8")
    links = {unquote(each) for each in re.findall(r'(?:href|src)="([^"#]+)', index)}
    assert all((reference.results / each).is_file() for each in links)
    pages = {"paper/comparison.html", "paper/claims.html", "manifest.json", "timeline.png"}
    assert pages | {f"paper/figures/{name}.png" for name in TINY["experiments"]} <= links
    assert "<code>snakemake verdict</code> makes it" in index


def test_the_second_run_does_nothing(finished):
    assert "Nothing to be done" in finished.succeed()


def test_touched_sources_rerun_nothing(finished):
    for path in (finished.folder / "workflow").rglob("*"):
        os.utime(path)
    assert finished.planned() == NOTHING


def test_a_comment_reruns_nothing(finished):
    finished.append("methods/pca.py", "# A remark.")
    assert finished.planned() == NOTHING


def test_an_edited_method_reruns_itself_and_what_hangs_on_it(finished):
    finished.append("methods/pca.py", "EDITED = True")
    assert finished.planned() == {"fit pca"} | after_models(finished)


def test_code_that_methods_share_reruns_those_that_import_it(finished):
    finished.append("inference/fista.py", "EDITED = True")
    planned = finished.planned()
    assert "fit fista_oracle" in planned
    assert not {"simulate", "fit pca", "fit raw", "fit sae_relu"} & planned


def test_an_edited_metric_refits_nothing(finished):
    finished.append("metrics/measures/mcc.py", "EDITED = True")
    assert finished.planned() == after_models(finished)


def test_an_edited_figure_is_drawn_again_alone(finished):
    finished.append("figures/latents.py", "EDITED = True")
    assert finished.planned() == {"draw latents", "lead", "quote", "typeset"}


def test_an_edited_style_redraws_all_figures_and_nothing_else(finished):
    finished.append("drawing/style.py", "EDITED = True")
    drawn = {"draw latents", "draw samples", "compare"}
    assert finished.planned() == drawn | {"lead", "quote", "typeset"}


def test_an_edited_fact_is_compared_again(finished):
    facts = finished.folder / "workflow/sae_surgery/pages/published/latents.csv"
    facts.write_text(
        facts.read_text(encoding="utf-8").replace("0.981733", "0.881733"), encoding="utf-8"
    )
    assert finished.planned() == {"compare", "lead", "quote", "typeset"}


def test_an_edited_manuscript_is_typeset_again_and_a_misspelt_figure_named(finished):
    source = finished.folder / "paper/main.typ"
    source.write_text(
        source.read_text(encoding="utf-8").replace('#fig("latents")', '#fig("latent")'),
        encoding="utf-8",
    )
    assert finished.planned() == {"typeset"}
    failed = finished.run()
    assert failed.returncode != 0
    assert 'the text names the figure "latent", which no rule makes' in failed.stdout
    assert "Traceback" not in failed.stdout


def test_a_deleted_figure_is_drawn_again_alone(finished, reference):
    (finished.results / "paper/figures/latents.png").unlink()
    assert finished.planned() == {"draw latents", "lead", "typeset"}
    finished.succeed("fig_latents")
    assert finished.differences(reference) == NOTHING


def test_a_changed_setting_reruns_its_method(finished):
    finished.configure(settings={"sae_relu": {"epochs": 4}})
    assert finished.planned() == {"fit sae_relu"} | after_models(finished)


@pytest.mark.parametrize("seeds", [[0, 2], [1, 0]])
def test_changed_seeds_rerun_everything(finished, seeds):
    finished.configure(seeds=seeds)
    fits = {f"fit {method}" for method in TINY["methods"]}
    assert finished.planned() == {"simulate"} | fits | after_models(finished)


def test_another_device_recomputes_nothing(finished):
    finished.configure(device="cpu")
    assert finished.planned() == NOTHING


def test_a_method_less_refits_nothing(finished):
    finished.configure(methods=["fista_oracle", "pca"])
    assert finished.planned() == after_models(finished)


def test_a_truncated_file_is_named_and_heals_when_deleted(finished, reference):
    damaged = finished.results / f"codes/{CELL}/pca.nc"
    os.truncate(damaged, damaged.stat().st_size // 2)
    failed = finished.run()
    assert failed.returncode != 0
    log = (finished.results / f"logs/paper/evaluate/{CELL}.log").read_text(encoding="utf-8")
    complaint = f"results/tiny/codes/{CELL}/pca.nc"
    assert complaint in log
    assert log.strip() in failed.stdout
    assert "Traceback" not in log
    damaged.unlink()
    finished.succeed("models", "all")
    assert finished.differences(reference) == NOTHING


def kill(process: subprocess.Popen) -> None:
    """End Snakemake and its jobs at once, without a chance to tidy up."""
    driver = psutil.Process(process.pid)
    for each in [driver, *driver.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait(SECONDS)


def test_a_killed_run_resumes_to_the_same_bytes(finished, reference):
    shutil.rmtree(finished.results)
    shutil.rmtree(finished.folder / ".snakemake")
    process = subprocess.Popen(
        finished.command(),
        cwd=finished.folder,
        env=finished.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + SECONDS
    while not list(finished.results.glob("codes/*/*.nc")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    kill(process)
    assert not (finished.results / "paper/tables/latents.nc").exists()
    finished.succeed("--unlock")
    finished.succeed()
    assert finished.differences(reference) == NOTHING


def test_one_figure_needs_only_its_own_table(fresh):
    planned = fresh.planned("fig_samples")
    assert {"tabulate samples", "draw samples"} <= planned
    assert not {"tabulate latents", "draw latents"} & planned


@pytest.mark.parametrize(
    ("target", "last"),
    [
        ("data", "simulate"),
        ("models", "fit pca"),
        ("metrics", "evaluate"),
        ("tables", "tabulate latents"),
        ("figures", "draw latents"),
    ],
)
def test_each_stage_has_a_target(fresh, target, last):
    order = ["simulate", "fit pca", "evaluate", "tabulate latents", "draw latents"]
    planned = fresh.planned(target)
    assert [job for job in order if job in planned] == order[: order.index(last) + 1]


def test_a_parent_is_fitted_but_not_compared(fresh):
    fresh.configure(methods=["dl_lista"])
    shown = fresh.succeed("--dry-run")
    assert {"fit dl_fista", "fit dl_lista"} <= fresh.planned()
    scored = re.search(r"^rule evaluate:\n    input: (.*)$", shown, re.MULTILINE).group(1)
    assert f"codes/{CELL}/dl_lista.nc" in scored
    assert f"codes/{CELL}/dl_fista.nc" not in scored


def test_a_new_method_is_one_new_file(fresh):
    folder = fresh.folder / "workflow" / "sae_surgery" / "methods"
    shutil.copy(folder / "pca.py", folder / "mine.py")
    fresh.configure(methods=None)
    assert "fit mine" in fresh.planned()


def test_a_bad_configuration_stops_before_anything_runs(fresh):
    fresh.configure(methods=["pcs"], seeds=[0, 0])
    failed = fresh.run()
    assert failed.returncode != 0
    assert "seeds: [0, 0] holds 0 more than once" in failed.stdout
    assert "Traceback" not in failed.stdout
    assert not fresh.results.exists()


@pytest.mark.parametrize("name", ["quick", "reference", "paper"])
def test_the_configurations_of_the_project_are_some_hundred_jobs(fresh, name):
    shutil.copy(ROOT / "config" / f"{name}.yaml", fresh.folder / "tiny.yaml")
    shown = fresh.succeed("--dry-run", "--quiet", "rules", "--config", "redraw=false")
    jobs = int(re.search(r"^total +(\d+)$", shown, re.MULTILINE).group(1))
    assert jobs <= {"quick": 200, "reference": 1400, "paper": 1700}[name]


def test_a_configuration_is_laid_over_the_default(fresh):
    chosen = yaml.safe_load((ROOT / "config" / "quick.yaml").read_bytes())["sweeps"]["sparsity"]
    fresh.configure(experiments=["sparsity"], methods=["raw"])
    shown = fresh.succeed("--dry-run", "data")
    assert len(re.findall(r"^rule simulate:", shown, re.MULTILINE)) == len(chosen["k"])
