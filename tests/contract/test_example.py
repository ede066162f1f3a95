"""The example without Snakemake, run as its first lines say, and the samples that it works with."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sae_surgery import problems
from sae_surgery.files.data import CellData
from sae_surgery.problems.laws.splits import by_split
from sae_surgery.steps.simulate import simulate

EXAMPLE = Path(__file__).parents[2] / "examples/without_snakemake.py"


def test_the_example_prints_a_table_in_which_sparse_coding_is_ahead():
    done = subprocess.run(
        [sys.executable, EXAMPLE], capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    head, *rows = done.stdout.splitlines()
    # A method's name may have a space.
    values = np.array([row.split()[-len(head.split()) :] for row in rows], float)
    sae, learned, oracle = values
    assert (sae + 0.1 < learned).all() and (learned <= oracle).all()


def test_the_example_is_short():
    lines = [line for line in EXAMPLE.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert len(lines) <= 40


@pytest.mark.parametrize("name", ["paper", "noisy", "composed", "patches"])
def test_samples_in_memory_are_those_of_the_file(name, tmp_path):
    problem = problems.kind(name).at({"n_latents": 24, "k": 3, "n_samples": 300})
    simulate(problem, (5,), tmp_path / "data.nc")
    data, samples = CellData(tmp_path / "data.nc"), by_split(problem, problem.draw(5))
    assert set(samples) == {"train", *data.scored}
    for split, (observations, codes, labels) in samples.items():
        np.testing.assert_array_equal(observations, data.observations(split)[0])
        assert (codes is None) == ("codes" not in data.knows)
        if codes is not None:
            np.testing.assert_array_equal(codes, data.true_codes(split, 0))
            np.testing.assert_array_equal(labels, data.labels(split, 0))
