import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from sae_surgery.learning.streams import BatchOrder, initial_encoder_weight

SEEDS = (0, 3)


def loader(seed: int, n_samples: int, batch_size: int = 64) -> DataLoader:
    generator = torch.Generator().manual_seed(seed)
    dataset = TensorDataset(torch.arange(n_samples))
    return DataLoader(dataset, batch_size, shuffle=True, generator=generator)


def one_epoch(batches: DataLoader) -> torch.Tensor:
    return torch.cat([batch for (batch,) in batches])


@pytest.mark.parametrize("n_samples", [1, 64, 128, 150, 2500])
def test_epochs_visit_samples_in_the_order_of_a_seeded_dataloader(n_samples):
    order = BatchOrder(SEEDS, n_samples)
    loaders = [loader(seed, n_samples) for seed in SEEDS]
    for _ in range(4):
        expected = torch.stack([one_epoch(batches) for batches in loaders])
        assert torch.equal(order.next_epoch(), expected)


@pytest.mark.parametrize("skip_epochs", [1, 7])
def test_skipped_epochs_are_those_of_the_same_dataloader(skip_epochs):
    order = BatchOrder(SEEDS, 150, skip_epochs)
    for seed, permutation in zip(SEEDS, order.next_epoch(), strict=True):
        batches = loader(seed, 150)
        for _ in range(skip_epochs):
            one_epoch(batches)
        assert torch.equal(permutation, one_epoch(batches))


def test_encoder_weight_has_the_bits_of_the_global_generator():
    weight = initial_encoder_weight(SEEDS, width=11, obs_dim=7)
    for seed, drawn in zip(SEEDS, weight, strict=True):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            expected = nn.Linear(7, 11).weight
        assert torch.equal(drawn, expected)


def test_encoder_weight_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    initial_encoder_weight(SEEDS, width=5, obs_dim=4)
    BatchOrder(SEEDS, 10).next_epoch()
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_samples": 0}, "n_samples must be a positive integer, got 0"),
        (
            {"n_samples": 5, "skip_epochs": -1},
            "skip_epochs must be an integer of at least 0, got -1",
        ),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        BatchOrder(SEEDS, **arguments)
