"""Checkpoints: what was cut off goes on to the same bits, and nothing else finds its state."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from sae_surgery.errors import SurgeryError
from sae_surgery.machine.checkpoints import (
    NONE,
    Checkpoint,
    InPlace,
    Streams,
    checkpoint_of,
    scratch,
)

CPU = torch.device("cpu")
EPOCHS = 6


class CutOff(Exception):
    """The job's time is up."""


def train(checkpoint: Checkpoint, cut_off_after: int | None = None) -> torch.Tensor:
    """Fit a line by Adam on batches drawn at random, and return its parameters."""
    generator = torch.Generator().manual_seed(0)
    parameters = torch.zeros(3)
    optimiser = torch.optim.Adam([parameters], lr=0.1)
    learned = InPlace(parameters), optimiser, Streams([generator])
    for epoch in checkpoint.steps(EPOCHS, *learned):
        if epoch == cut_off_after:
            raise CutOff
        x = torch.randn(8, 3, generator=generator)
        parameters.grad = x.T @ (x @ parameters - 1)
        optimiser.step()
    return parameters


def cut_off(path: Path, after: int = 3, **options) -> Checkpoint:
    """Return the checkpoint of a training that was cut off."""
    with pytest.raises(CutOff):
        train(Checkpoint(path, seconds=0, **options), after)
    return Checkpoint(path, seconds=0, **options)


@pytest.mark.parametrize("after", range(EPOCHS))
def test_a_training_that_was_cut_off_ends_with_the_same_bits(tmp_path, after):
    checkpoint = cut_off(tmp_path / "scratch" / "state.pt", after)
    assert torch.equal(train(checkpoint), train(NONE))
    checkpoint.remove()
    assert list(tmp_path.iterdir()) == []


def test_only_the_steps_that_are_left_are_taken(tmp_path):
    checkpoint = Checkpoint(tmp_path / "state.pt", seconds=0)
    for step in checkpoint.steps(EPOCHS):
        if step == 4:
            break
    left = checkpoint.steps(EPOCHS)
    assert len(left) == 2
    assert list(left) == [4, 5]
    assert list(NONE.steps(3)) == [0, 1, 2]


def test_it_is_saved_no_more_often_than_asked(tmp_path):
    class Never:
        def state_dict(self):
            raise AssertionError("asked for without need")

    assert len(list(Checkpoint(tmp_path / "state.pt", seconds=1000).steps(5, Never()))) == 5
    assert list(tmp_path.iterdir()) == []


def test_what_the_caller_makes_of_the_steps_is_kept_too(tmp_path):
    made = np.zeros(2)
    checkpoint = Checkpoint(tmp_path / "state.pt", seconds=0).keeping(InPlace(made))
    for step in checkpoint.steps(2, InPlace(torch.zeros(1))):
        made[step] = 1
    made[:] = 0
    checkpoint.steps(2, InPlace(torch.zeros(1)))
    assert made.tolist() == [1, 0]


def test_parts_have_states_of_their_own_that_are_removed_together(tmp_path):
    checkpoint = Checkpoint(tmp_path / "scratch" / "state.pt", seconds=0)
    for name in ("one", "other"):
        list(checkpoint.part(name).steps(2))
    assert len(list((tmp_path / "scratch").iterdir())) == 2
    checkpoint.remove()
    assert list(tmp_path.iterdir()) == []
    assert NONE.part("one") is NONE


def test_a_failure_while_saving_leaves_the_state_before(tmp_path):
    class Once:
        asked = False

        def state_dict(self):
            if self.asked:
                raise CutOff
            self.asked = True
            return {}

    checkpoint = Checkpoint(tmp_path / "state.pt", seconds=0)
    with pytest.raises(CutOff):
        list(checkpoint.steps(EPOCHS, Once()))
    assert list(tmp_path.iterdir()) == [checkpoint.path]
    assert torch.load(checkpoint.path)["n_done"] == 1


def test_what_a_writer_that_was_killed_has_left_is_removed(tmp_path):
    checkpoint = cut_off(tmp_path / "state.pt")
    train(checkpoint)
    dead = f".state+{os.uname().nodename}+{2**22 + 1}+0a0b0c0d.pt"
    (tmp_path / dead).touch()
    checkpoint.remove()
    assert not tmp_path.exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: os.truncate(path, path.stat().st_size // 2),
        lambda path: os.truncate(path, 0),
        lambda path: path.write_text("not a state", encoding="utf-8"),
        lambda path: torch.save(torch.zeros(3), path),
        lambda path: shutil.copy(cut_off(path.with_name("foreign.pt")).path, path),
    ],
    ids=["truncated", "empty", "text", "tensor", "foreign"],
)
def test_a_state_that_is_damaged_or_foreign_is_told_and_not_used(tmp_path, capsys, damage):
    checkpoint = cut_off(tmp_path / "state.pt")
    damage(checkpoint.path)
    assert list(checkpoint.steps(EPOCHS)) == list(range(EPOCHS))
    assert "begins anew" in capsys.readouterr().err


def test_a_number_that_changed_on_the_disk_is_noticed(tmp_path, capsys):
    path = tmp_path / "state.pt"
    values = torch.arange(1000, dtype=torch.float64)
    list(Checkpoint(path, seconds=0).steps(2, InPlace(values)))
    path.write_bytes(path.read_bytes().replace(np.float64(500).tobytes(), np.float64(5).tobytes()))
    assert len(Checkpoint(path).steps(2, InPlace(values))) == 2
    assert "is damaged" in capsys.readouterr().err
    assert torch.equal(values, torch.arange(1000, dtype=torch.float64))


def test_whatever_decides_the_result_decides_which_state_is_found(tmp_path):
    decides = {"settings": {"epochs": 5}, "inputs": {"data": "abc"}}
    others = decides | {"settings": {"epochs": 6}}, decides | {"inputs": {"data": "abd"}}
    path = checkpoint_of(tmp_path, decides, CPU).path
    assert checkpoint_of(tmp_path, dict(reversed(decides.items())), CPU).path == path
    assert all(checkpoint_of(tmp_path, other, CPU).path != path for other in others)


def test_the_scratch_folder_is_the_sites_choice(tmp_path):
    assert scratch({"SAE_SURGERY_SCRATCH": str(tmp_path)}) == tmp_path
    assert not scratch({}).is_absolute()


def test_a_scratch_folder_that_cannot_be_written_to_is_named():
    with pytest.raises(SurgeryError, match=r"/proc/state\.pt"):
        list(Checkpoint(Path("/proc/state.pt"), seconds=0).steps(2))
