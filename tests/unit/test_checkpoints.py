"""Checkpoints: what was cut off goes on to the same bits, and nothing else finds its state."""

import os
from pathlib import Path

import pytest
import torch

from sae_surgery.checkpoints import NONE, Checkpoint, checkpoint, scratch
from sae_surgery.errors import SurgeryError

CPU = torch.device("cpu")
EPOCHS = 6


class CutOff(Exception):
    """The job's time is up."""


def train(saved: Checkpoint, cut_off_after: int | None = None) -> torch.Tensor:
    """Fit a line by Adam on batches drawn at random, and return its parameters."""
    generator = torch.Generator().manual_seed(0)
    parameters = torch.zeros(3)
    optimiser = torch.optim.Adam([parameters], lr=0.1)
    begin = 0
    if state := saved.load(CPU):
        begin = state["epoch"] + 1
        parameters.copy_(state["parameters"])
        optimiser.load_state_dict(state["optimiser"])
        generator.set_state(state["generator"])
    for epoch in range(begin, EPOCHS):
        x = torch.randn(8, 3, generator=generator)
        parameters.grad = x.T @ (x @ parameters - 1)
        optimiser.step()
        saved.save(
            lambda: {
                "epoch": epoch,  # noqa: B023
                "parameters": parameters,
                "optimiser": optimiser.state_dict(),
                "generator": generator.get_state(),
            }
        )
        if epoch == cut_off_after:
            raise CutOff
    return parameters


@pytest.mark.parametrize("cut_off_after", range(EPOCHS))
def test_a_training_that_was_cut_off_ends_with_the_same_bits(tmp_path, cut_off_after):
    saved = Checkpoint(tmp_path / "scratch" / "state.pt", seconds=0)
    with pytest.raises(CutOff):
        train(saved, cut_off_after)
    assert torch.equal(train(saved), train(NONE))
    saved.remove()
    assert list(tmp_path.iterdir()) == []


def test_it_is_saved_no_more_often_than_asked(tmp_path):
    def never():
        raise AssertionError("made without need")

    Checkpoint(tmp_path / "state.pt", seconds=1000).save(never)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_while_saving_leaves_the_state_before(tmp_path):
    saved = Checkpoint(tmp_path / "state.pt", seconds=0)
    saved.save(lambda: {"epoch": 1})
    with pytest.raises(CutOff):
        saved.save(lambda: (_ for _ in ()).throw(CutOff))
    assert saved.load(CPU) == {"epoch": 1}
    assert len(list(tmp_path.iterdir())) == 1


def test_a_truncated_state_is_told_and_not_used(tmp_path, capsys):
    saved = Checkpoint(tmp_path / "state.pt", seconds=0)
    saved.save(lambda: {"parameters": torch.zeros(1000)})
    os.truncate(tmp_path / "state.pt", 500)
    assert saved.load(CPU) is None
    assert "begins anew" in capsys.readouterr().err


def test_whatever_decides_the_result_decides_which_state_is_found(tmp_path):
    decides = {"settings": {"epochs": 5}, "inputs": {"data": "abc"}}
    checkpoint(tmp_path, decides, seconds=0).save(lambda: {"epoch": 1})
    assert checkpoint(tmp_path, decides).load(CPU) == {"epoch": 1}
    assert checkpoint(tmp_path, decides | {"settings": {"epochs": 6}}).load(CPU) is None


def test_the_scratch_folder_is_the_sites_choice(tmp_path):
    assert scratch({"SAE_SURGERY_SCRATCH": str(tmp_path)}) == tmp_path
    assert not scratch({}).is_absolute()


def test_a_scratch_folder_that_cannot_be_written_to_is_named():
    with pytest.raises(SurgeryError, match=r"/proc/state\.pt"):
        Checkpoint(Path("/proc/state.pt"), seconds=0).save(dict)
