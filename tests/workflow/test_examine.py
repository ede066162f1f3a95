"""`sae-surgery examine`, from a trained SAE and a matrix of activations to the page."""

import subprocess
import sys

import numpy as np
import pytest
import yaml

from project import ROOT, new_project

SECONDS = 600

OBS, ATOMS, K = 12, 20, 3


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    made = new_project(tmp_path_factory.mktemp("examine") / "project")
    # Loops that this clone has compiled already.
    kept = ROOT / "workflow" / "sae_surgery" / "__pycache__"
    made.environment |= {"NUMBA_CACHE_DIR": str(kept), "OMP_NUM_THREADS": "1"}
    drawn = np.random.default_rng(0)
    atoms = drawn.normal(size=(OBS, ATOMS))
    atoms /= np.linalg.norm(atoms, axis=0)
    codes = drawn.uniform(0.5, 1.5, (400, ATOMS)) * (drawn.random((400, ATOMS)) < K / ATOMS)
    acts = (codes @ atoms.T + 0.02 * drawn.normal(size=(400, OBS))).astype(np.float32)
    np.save(made.folder / "acts.npy", acts)
    np.save(made.folder / "wide.npy", np.ones((400, OBS + 1)) * np.arange(400)[:, None])
    np.save(made.folder / "labels.npy", codes[:, 0] > 0)
    sae = {"dictionary": atoms, "encoder_weight": atoms.T, "decoder_bias": np.zeros(OBS)}
    np.savez(made.folder / "mine.npz", **{n: v.astype(np.float32) for n, v in sae.items()}, k=K)
    # What it explains best is what a ReLU encoder that is not tied would; here it explains less.
    np.savez(made.folder / "dense.npz", **{n: v.astype(np.float32) for n, v in sae.items()})
    return made


def examine(project, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "sae_surgery", "examine", *arguments],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        timeout=SECONDS,
        encoding="utf-8",
    )


ASKED = ["--sae", "mine.npz", "--activations", "acts.npy", "--labels", "labels.npy"]
ASKED += ["--samples", "300", "--no-rivals", "--questions", "encoder", "planted", "labels"]


def test_one_command_makes_the_page_and_goes_on_where_it_was(project):
    done = examine(project, *ASKED)
    assert done.returncode == 0, done.stderr
    results = project.folder / "results" / "mine"
    written = (results / "examine.yaml").read_text(encoding="utf-8")
    assert written in done.stdout
    assert done.stdout.endswith("results/mine/examine/page.html\n")
    section = yaml.safe_load(written)["examine"]
    assert section["saes"] == {"mine": {"path": "mine.npz"}}
    for suffix in ("html", "md", "csv"):
        assert (results / f"examine/page.{suffix}").stat().st_size > 1000
    text = (results / "examine/page.md").read_text(encoding="utf-8")
    assert "of the variance of held-out rows" in text
    assert "recombined from halves of different rows" in text
    assert "225 to learn from, 75 held out" in text
    again = examine(project, *ASKED, "--dry-run")
    assert "Nothing to be done" in again.stdout + again.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--sae", "nowhere", "--activations", "acts.npy"], "nowhere: there is no such file"),
        (["--sae", "mine.npz", "--activations", "nowhere.npy"], "nowhere.npy: there is no such"),
        (["--sae", "acts.npy", "--activations", "acts.npy"], "are these the activations?"),
        (["--sae", "mine.npz", "--activations", "wide.npy"], f"takes activations (sample, {OBS})"),
        (["--sae", "mine.npz", "--activations", "labels.npy"], "a matrix of (sample, dimension)"),
        (["--sae", "dense.npz", "--activations", "acts.npy"], "(overruled by the name"),
        ([*ASKED, "--overrule", "everything"], "'everything' is unknown"),
        (["--sae", "a", "b", "--activations", "1", "2", "3"], "one file for all SAEs"),
        ([*ASKED[:-3], "encodre"], "did you mean 'encoder'"),
        ([*ASKED, "--name", "two words"], "'two words' is not a valid name"),
        ([*ASKED, "--samples", "0"], "--samples"),
    ],
)
def test_what_a_user_got_wrong_is_one_line(project, arguments, complaint):
    done = examine(project, *arguments)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
