"""LISTA: its start is ISTA, its gradient is autograd's, and seeds do not touch each other."""

import pytest
import torch

from sae_surgery.learning.dictionary_learning import random_dictionary
from sae_surgery.learning.lista import (
    CompiledNetwork,
    Lista,
    ListaParameters,
    TensorNetwork,
    encode_lista,
    initial_parameters,
    train_lista,
)

SEEDS = (0, 1, 2)


def problem(n_samples: int = 75, obs_dim: int = 7, n_atoms: int = 10):
    dictionary = random_dictionary(obs_dim, n_atoms, range(100, 103))
    generator = torch.Generator().manual_seed(0)
    codes = torch.rand(3, n_samples, n_atoms, generator=generator)
    codes *= torch.rand(3, n_samples, n_atoms, generator=generator) < 0.2
    return codes @ dictionary.mT, dictionary


def literal_codes(y, parameters):
    """Encode samples (sample, obs) with one seed's parameters, signed soft threshold spelt out."""
    z = torch.zeros(len(y), parameters.thresholds.shape[-1], dtype=y.dtype)
    for recurrent, encoder, thresholds in zip(*parameters, strict=True):
        moved = z @ recurrent.T + y @ encoder.T
        z = moved.sign() * torch.relu(moved.abs() - thresholds.abs())
    return z


def mean_loss(y, dictionary, codes, lam):
    return (y - codes @ dictionary.mT).square().mean() + lam * codes.abs().mean()


def test_the_first_network_is_ista_with_its_threshold():
    observations, dictionary = (x.double() for x in problem())
    settings = Lista(n_layers=5)
    codes = encode_lista(observations, initial_parameters(dictionary, settings))
    for seed in SEEDS:
        d, z = dictionary[seed], torch.zeros(75, 10).double()
        bound = torch.linalg.matrix_norm(d, ord=2) ** 2
        for _ in range(5):
            moved = z - (z @ d.T - observations[seed]) @ d / bound
            z = moved.sign() * torch.relu(moved.abs() - 0.01)
        torch.testing.assert_close(codes[seed], z)
    assert (codes < 0).any()


def test_encoding_is_the_literal_network():
    observations, dictionary = problem()
    parameters = initial_parameters(dictionary, Lista(n_layers=4))
    generator = torch.Generator().manual_seed(0)
    parameters = ListaParameters(
        *(p + 0.05 * torch.randn(p.shape, generator=generator) for p in parameters)
    )
    assert (parameters.thresholds < 0).any()
    codes = encode_lista(observations, parameters)
    for seed in SEEDS:
        own = ListaParameters(*(p[seed] for p in parameters))
        torch.testing.assert_close(codes[seed], literal_codes(observations[seed], own))


@pytest.mark.parametrize("threshold", [0.01, 0.0])
def test_training_is_autograd_and_adam(threshold):
    observations, dictionary = problem()
    settings = Lista(n_layers=4, epochs=3, batch_size=32, threshold=threshold, learning_rate=0.01)
    parameters = train_lista(observations, dictionary, SEEDS, settings)
    for seed in SEEDS:
        start = initial_parameters(dictionary[seed : seed + 1], settings)
        expected = ListaParameters(*(p[0].clone().requires_grad_() for p in start))
        optimiser = torch.optim.Adam(expected, lr=0.01)
        generator = torch.Generator().manual_seed(seed)
        for _ in range(3):
            order = torch.randperm(75, generator=generator)
            for batch in observations[seed, order].split(32):
                loss = mean_loss(batch, dictionary[seed], literal_codes(batch, expected), 0.1)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        own = ListaParameters(*(p[seed] for p in parameters))
        torch.testing.assert_close(
            encode_lista(observations[seed : seed + 1], ListaParameters(*(p[None] for p in own)))[
                0
            ],
            literal_codes(observations[seed], expected).detach(),
            atol=1e-3,
            rtol=1e-3,
        )
        for value, reference in zip(own, expected, strict=True):
            torch.testing.assert_close(value, reference.detach(), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("shape", [(7, 10), (33, 50)])
def test_compiled_epochs_are_those_of_tensors(shape):
    observations, dictionary = problem(70, *shape)
    settings = Lista(n_layers=4)
    loops = CompiledNetwork(dictionary, settings)
    tensors = TensorNetwork(dictionary.double(), settings)
    for _ in range(2):
        loops.epoch(observations)
        tensors.epoch(observations.double())
    for actual, expected in zip(loops.parameters(), tensors.parameters(), strict=True):
        torch.testing.assert_close(actual.double(), expected, atol=1e-4, rtol=1e-4)


def test_training_lowers_the_loss():
    observations, dictionary = problem(n_samples=300)
    settings = Lista(epochs=20)
    losses = [
        mean_loss(observations, dictionary, encode_lista(observations, parameters), settings.lam)
        for parameters in (
            initial_parameters(dictionary, settings),
            train_lista(observations, dictionary, SEEDS, settings),
        )
    ]
    assert losses[1] < 0.9 * losses[0]


@pytest.mark.parametrize("shape", [(7, 10), (33, 50), (5, 13)])
def test_a_seed_learns_the_same_whoever_shares_the_batch(shape):
    observations, dictionary = problem(70, *shape)
    settings = Lista(n_layers=3, epochs=4)
    together = train_lista(observations, dictionary, SEEDS, settings)
    codes = encode_lista(observations, together)
    for seed in SEEDS:
        own = slice(seed, seed + 1)
        alone = train_lista(observations[own], dictionary[own], (seed,), settings)
        for name in ListaParameters._fields:
            assert torch.equal(getattr(together, name)[own], getattr(alone, name)), name
        assert torch.equal(codes[own], encode_lista(observations[own], alone))


def test_the_order_of_the_batches_depends_on_the_seed():
    observations, dictionary = problem()
    settings = Lista(n_layers=2, epochs=1)
    same_data = observations[:1].expand(2, -1, -1), dictionary[:1].expand(2, -1, -1)
    thresholds = train_lista(*same_data, (0, 1), settings).thresholds
    assert not torch.equal(thresholds[0], thresholds[1])


def test_dead_atoms_leave_no_nan():
    observations, dictionary = problem()
    dictionary[0, :, 3] = 0
    dictionary[1] = 0
    parameters = train_lista(observations, dictionary, SEEDS, Lista(n_layers=3, epochs=2))
    codes = encode_lista(observations, parameters)
    assert codes.isfinite().all() and codes[0].any()
    assert not codes[0, :, 3].any() and not codes[1].any()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n_layers": 0}, "n_layers must be a positive integer, got 0"),
        ({"lam": -0.1}, "lam must be a number of at least 0, got -0.1"),
        ({"threshold": -0.1}, "threshold must be"),
        ({"learning_rate": 0.0}, "learning_rate must be a positive number, got 0.0"),
        ({"epochs": 0}, "epochs must be a positive integer, got 0"),
        ({"batch_size": 1.5}, "batch_size must be a positive integer, got 1.5"),
        ({"learns_from": "ood"}, "learns_from must be train or val, got 'ood'"),
    ],
)
def test_settings_out_of_range_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        Lista(**values)


def test_seeds_must_match_the_arrays():
    observations, dictionary = problem()
    with pytest.raises(ValueError, match="seeds must be 3, one for each entry"):
        train_lista(observations, dictionary, (0, 1), Lista())
