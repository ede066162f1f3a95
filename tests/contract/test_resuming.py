"""A job that was cut off goes on from its checkpoint, to the bytes of one that was not."""

import json
import signal
import subprocess
import sys

import pytest

from sae_surgery.files import store
from sae_surgery.learning import lista, softplus_adam
from sae_surgery.learning.autoencoder import training
from sae_surgery.learning.autoencoder.descent import TorchDescent
from sae_surgery.machine import checkpoints
from sae_surgery.record.jobs import MARK, record
from sae_surgery.steps import fit as fit_step
from sae_surgery.steps import operate as operate_step

SETTINGS = {
    "sae_relu": {"epochs": 7, "record_every": 2, "renormalise_every": 3},
    "sae_mp": {"epochs": 5, "record_every": 2},
    "sae_jumprelu": {"epochs": 5, "record_every": 2},
    "softplus_adam": {"max_steps": 220, "patience": 12, "min_steps": 120, "improvement": 1e-3},
    "lista_oracle": {"epochs": 5, "n_layers": 3},
    "dl_fista": {"max_rounds": 12, "n_iter": 10, "record_every": 3, "min_rounds": 1}
    | {"tolerance": 0.06},
    "dl_scaled": {"max_rounds": 12, "record_every": 3, "replace_every": 2, "n_batches": 3}
    | {"anneal_rounds": 4, "replace_rounds": 5, "tolerance": 0.05},
}
STEPS_BETWEEN_CUTS = {"softplus_adam": 50}
DECODER = {"counts": (0, 1, 2, 5, 9), "n_iter": 10, "min_rounds": 1, "tolerance": 0.06}


class CutOff(Exception):
    """The job's time is up."""


def cut_off_after(n_steps):
    """Return a tracker that ends a job after so many steps, counted over all of its loops."""
    taken = 0

    def track(items, label):
        nonlocal taken
        for item in items:
            if taken == n_steps:
                raise CutOff
            taken += 1
            yield item

    return track


def run_in_pieces(step, monkeypatch, n_steps, *arguments):
    """Run a step again and again, cut off each time, until it ends; return how often it was."""
    monkeypatch.setattr(checkpoints, "SECONDS_BETWEEN", 0)
    module, n_cuts = sys.modules[step.__module__], 0
    while True:
        monkeypatch.setattr(module, "track", cut_off_after(n_steps))
        try:
            step(*arguments)
        except CutOff:
            n_cuts += 1
        else:
            return n_cuts


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Where checkpoints go; not there before the first."""
    folder = tmp_path / "scratch"
    monkeypatch.setenv(checkpoints.VARIABLE, str(folder))
    return folder


@pytest.fixture
def tensors(monkeypatch):
    """Train with tensors, as on a GPU, instead of by compiled loops."""
    monkeypatch.setattr(training, "descent_for", lambda observations: TorchDescent)
    monkeypatch.setattr(lista, "_network", lista.TensorNetwork)
    monkeypatch.setattr(softplus_adam, "_problem", softplus_adam.TensorProblem)


def assert_fit_resumes(bench, name, scratch, monkeypatch, threads=1):
    """Hold the files of a fit in pieces against those of a fit without any checkpoint."""
    fit = fit_step.fit
    whole, pieces = (
        [scratch.with_name(f"{kind}_{part}.nc") for kind in ("model", "codes")]
        for part in ("whole", "pieces")
    )
    given = name, bench.data(), None, SETTINGS[name], "cpu", threads
    fit(*given, *whole)
    assert not scratch.exists()
    n_steps = STEPS_BETWEEN_CUTS.get(name, 2)
    assert run_in_pieces(fit, monkeypatch, n_steps, *given, *pieces) >= 2
    for one, other in zip(whole, pieces, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert not scratch.exists()


@pytest.mark.parametrize("name", SETTINGS)
def test_a_fit_in_pieces_gives_the_bytes_of_a_whole_one(bench, name, scratch, monkeypatch):
    assert_fit_resumes(bench, name, scratch, monkeypatch)


@pytest.mark.usefixtures("tensors")
@pytest.mark.parametrize("name", ["sae_jumprelu", "softplus_adam", "lista_oracle"])
def test_so_does_one_with_tensors(bench, name, scratch, monkeypatch):
    assert_fit_resumes(bench, name, scratch, monkeypatch)


def test_so_does_one_whose_seeds_are_threads(bench, scratch, monkeypatch):
    assert_fit_resumes(bench, "softplus_adam", scratch, monkeypatch, threads=2)


@pytest.mark.parametrize(
    ("name", "number"),
    [("dl_fista", "n_rounds"), ("dl_scaled", "n_rounds"), ("softplus_adam", "n_steps")],
)
def test_seeds_stop_at_different_times_in_what_is_cut_off(bench, tmp_path, name, number):
    files = tmp_path / "model.nc", tmp_path / "codes.nc"
    fit_step.fit(name, bench.data(), None, SETTINGS[name], "cpu", 1, *files)
    assert len(set(store.read(files[0], "model")[number].values.tolist())) > 1


def test_a_surgery_that_learns_does_too(bench, scratch, monkeypatch):
    whole, pieces = (scratch.with_name(f"{part}.nc") for part in ("whole", "pieces"))
    given = bench.data(), *bench.fit("sae_relu"), DECODER, "cpu", 1
    operate_step.operate("warm_start_decoder", *given, whole)
    operate = operate_step.operate
    assert run_in_pieces(operate, monkeypatch, 2, "warm_start_decoder", *given, pieces) >= 4
    assert whole.read_bytes() == pieces.read_bytes()
    assert not scratch.exists()


def test_so_does_one_that_trains_encoders(bench, scratch, tmp_path, monkeypatch):
    fitted = tmp_path / "model.nc", tmp_path / "codes.nc"
    fit_step.fit("sae_relu", bench.data(), None, SETTINGS["sae_relu"], "cpu", 1, *fitted)
    whole, pieces = (scratch.with_name(f"{part}.nc") for part in ("whole", "pieces"))
    given, donor = (bench.data(), *fitted, {}, "cpu", 1), bench.fit("dl_scaled")[0]
    operate = operate_step.operate
    operate("learned_dictionary", *given, whole, donor)
    cuts = run_in_pieces(operate, monkeypatch, 4, "learned_dictionary", *given, pieces, donor)
    assert cuts >= 3
    assert whole.read_bytes() == pieces.read_bytes()
    assert not scratch.exists()


KILLED = """
import os, signal, sys
from sae_surgery import cli
from sae_surgery.machine import checkpoints
from sae_surgery.steps import fit

def track(items, label):
    for taken, item in enumerate(items):
        if taken == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        yield item

checkpoints.SECONDS_BETWEEN, fit.track = 0, track
cli.main(sys.argv[1:])
"""


def test_a_process_that_was_killed_is_taken_up_by_the_next(bench, scratch, tmp_path):
    whole, taken_up = ([tmp_path / f"{part}{i}.nc" for i in (0, 1)] for part in ("a", "b"))
    settings = {"epochs": 5, "record_every": 2}
    fit_step.fit("sae_relu", bench.data(), None, settings, "cpu", 1, *whole)
    command = ["fit", "--method", "sae_relu", "--data", str(bench.data())]
    command += ["--settings", json.dumps(settings), "--device", "cpu", "--threads", "1"]
    command += ["--model", str(taken_up[0]), "--codes", str(taken_up[1])]
    killed = subprocess.run([sys.executable, "-c", KILLED, *command], check=False)
    assert killed.returncode == -signal.SIGKILL
    (state,) = scratch.iterdir()
    command = [sys.executable, "-m", "sae_surgery", *command]
    log = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stderr
    assert f"{state}: training goes on after step 3" in log
    job = json.loads(log.splitlines()[-1].removeprefix(MARK))
    assert job["outputs"] == [str(path) for path in taken_up]
    for one, other in zip(whole, taken_up, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert not scratch.exists()


def test_a_job_that_saves_tells_only_its_results(bench, scratch, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(checkpoints, "SECONDS_BETWEEN", 0)
    files = tmp_path / "model.nc", tmp_path / "codes.nc"
    names = "name", "data_path", "parent_path", "settings", "device_name", "threads"
    given = "sae_relu", bench.data(), None, SETTINGS["sae_relu"], "cpu", 1
    options = dict(zip((*names, "model_path", "codes_path"), (*given, *files), strict=True))
    record("fit", fit_step.fit, options, began=0.0)
    job = json.loads(capsys.readouterr().err.splitlines()[-1].removeprefix(MARK))
    assert job["outputs"] == [str(path) for path in files]
