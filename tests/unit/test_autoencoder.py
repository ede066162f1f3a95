"""The autoencoders against literal one-seed models that autograd differentiates."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from sae_surgery.learning.autoencoder import (
    Autoencoder,
    AutoencoderParameters,
    JumpRelu,
    JumpReluSettings,
    MatchingPursuit,
    Relu,
    ReluSettings,
    TopK,
    TrainingSettings,
    compiled,
    train_autoencoder,
)
from sae_surgery.learning.autoencoder.descent import CompiledDescent, TorchDescent
from sae_surgery.learning.streams import LOADER_ORDER, BatchOrder

K = 3
WIDTH, OBS_DIM = 13, 7
NAMES = LOADER_ORDER
PENALTY = 0.02
BANDWIDTH = 0.3


def make(name: str, **settings) -> Autoencoder:
    jump = {"penalty": PENALTY, "threshold_start": 0.1, "bandwidth": BANDWIDTH}
    return {
        "relu": lambda: Relu(ReluSettings(penalty=PENALTY, **settings)),
        "topk": lambda: TopK(TrainingSettings(**settings), K),
        "jumprelu": lambda: JumpRelu(JumpReluSettings(**jump, **settings)),
        "mp": lambda: MatchingPursuit(TrainingSettings(**settings), K),
    }[name]()


# The literal models: one seed, written as the paper describes them, differentiated by autograd.


def rectangle(x: Tensor) -> Tensor:
    return ((x >= -0.5) & (x <= 0.5)).to(x)


class Jump(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u, threshold):
        ctx.save_for_backward(u, threshold)
        return u * (u > threshold)

    @staticmethod
    def backward(ctx, gradient):
        u, threshold = ctx.saved_tensors
        kernel = rectangle((u - threshold) / BANDWIDTH)
        return (u > threshold) * gradient, -(threshold / BANDWIDTH) * kernel * gradient


class Count(torch.autograd.Function):
    @staticmethod
    def forward(ctx, codes, threshold):
        ctx.save_for_backward(codes, threshold)
        return (codes > threshold).to(codes)

    @staticmethod
    def backward(ctx, gradient):
        codes, threshold = ctx.saved_tensors
        return None, -rectangle((codes - threshold) / BANDWIDTH) / BANDWIDTH * gradient


def literal_pursuit(dictionary: Tensor, residual: Tensor) -> Tensor:
    codes = torch.zeros(len(residual), dictionary.shape[1], dtype=residual.dtype)
    free = torch.ones_like(codes)
    for _ in range(K):
        correlations = residual @ dictionary * free
        chosen = torch.nn.functional.one_hot(correlations.abs().argmax(1), dictionary.shape[1])
        step = correlations * chosen
        codes = codes + step
        residual = residual - step @ dictionary.T
        free = free * (1 - chosen)
    return codes


def literal_loss(name: str, parameters: AutoencoderParameters, batch: Tensor) -> Tensor:
    encoder_weight, encoder_bias, decoder, decoder_bias, log_threshold = parameters
    centred = batch - decoder_bias
    preactivations = centred @ encoder_weight.T + encoder_bias
    penalty = 0.0
    if name == "relu":
        codes = torch.relu(preactivations)
        penalty = PENALTY * codes.abs().sum(1).mean()
    elif name == "topk":
        values, atoms = torch.topk(preactivations, K)
        codes = torch.zeros_like(preactivations).scatter(1, atoms, torch.relu(values))
    elif name == "jumprelu":
        threshold = log_threshold.clamp(max=20).exp()
        codes = Jump.apply(torch.relu(preactivations), threshold.expand_as(preactivations))
        penalty = PENALTY * Count.apply(codes, threshold.expand_as(codes)).sum(1).mean()
    else:
        decoder = decoder / decoder.norm(dim=0, keepdim=True).clamp_min(1e-8)
        codes = literal_pursuit(decoder, centred)
    return torch.nn.functional.mse_loss(codes @ decoder.T + decoder_bias, batch) + penalty


def one_seed(parameters: AutoencoderParameters, index: int) -> AutoencoderParameters:
    return AutoencoderParameters(
        *(None if value is None else value[index].clone().requires_grad_() for value in parameters)
    )


def literal_training(autoencoder: Autoencoder, observations: Tensor, seed: int):
    settings = autoencoder.settings
    parameters = one_seed(autoencoder.initial_parameters([seed], WIDTH, OBS_DIM), 0)
    leaves = [value for value in parameters if value is not None]
    optimiser = torch.optim.AdamW(leaves, lr=settings.learning_rate)
    generator = torch.Generator().manual_seed(seed)
    loader = DataLoader(
        TensorDataset(observations), settings.batch_size, shuffle=True, generator=generator
    )
    for _ in range(NAMES.index(autoencoder.name) * settings.epochs):
        for _ in loader:
            pass
    for epoch in range(settings.epochs):
        for (batch,) in loader:
            optimiser.zero_grad()
            literal_loss(autoencoder.name, parameters, batch).backward()
            decoder = parameters.decoder
            with torch.no_grad():
                decoder.grad -= (decoder.grad * decoder).sum(0) * decoder
            optimiser.step()
        if epoch % settings.renormalise_every == 0:
            with torch.no_grad():
                decoder /= decoder.norm(dim=0).clamp_min(1e-8)
    return parameters


def observe(n_seeds: int, n_samples: int, obs_dim: int = OBS_DIM) -> Tensor:
    return torch.randn(n_seeds, n_samples, obs_dim, generator=torch.Generator().manual_seed(7))


def random_parameters(name: str, n_seeds: int) -> AutoencoderParameters:
    generator = torch.Generator().manual_seed(5)
    shapes = [(WIDTH, OBS_DIM), (WIDTH,), (OBS_DIM, WIDTH), (OBS_DIM,)]
    values = [0.5 * torch.randn(n_seeds, *shape, generator=generator).double() for shape in shapes]
    # Some thresholds below half the bandwidth, where silent codes are in the kernel, one clamped.
    log_threshold = torch.randn(n_seeds, WIDTH, generator=generator).double() - 1.5
    log_threshold[:, 0] = 21.0
    return AutoencoderParameters(*values, log_threshold if name == "jumprelu" else None)


@pytest.mark.parametrize("name", NAMES)
def test_gradient_equals_autograd_of_the_literal_loss(name):
    n_seeds = 2
    autoencoder = make(name)
    parameters = random_parameters(name, n_seeds)
    batch = observe(n_seeds, 20).double()
    gradients = {key: torch.full_like(getattr(parameters, key), 9) for key in autoencoder.learns}
    loss = autoencoder.differentiate(parameters, batch, gradients, OBS_DIM)
    for index in range(n_seeds):
        literal = one_seed(parameters, index)
        expected = literal_loss(name, literal, batch[index])
        expected.backward()
        total = loss.reconstruction[index] + PENALTY * loss.regulariser[index]
        torch.testing.assert_close(total, expected.detach())
        for key in AutoencoderParameters._fields:
            value = getattr(literal, key)
            if key in autoencoder.learns:
                assert value.grad.abs().max() > 0
                torch.testing.assert_close(gradients[key][index], value.grad, msg=key)
            else:
                assert value is None or value.grad is None


@pytest.mark.parametrize("name", NAMES)
def test_training_follows_a_literal_loop(name):
    seeds = (0, 4)
    autoencoder = make(name, epochs=3, renormalise_every=2, learning_rate=0.01)
    observations = observe(len(seeds), 150)
    trained, _ = train_autoencoder(autoencoder, observations, WIDTH, seeds)
    for index, seed in enumerate(seeds):
        expected = literal_training(autoencoder, observations[index], seed)
        for key in AutoencoderParameters._fields:
            if getattr(expected, key) is not None:
                actual, wanted = getattr(trained, key)[index], getattr(expected, key).detach()
                torch.testing.assert_close(actual, wanted, atol=1e-5, rtol=1e-4, msg=key)


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("n_samples", [150, 129])
@pytest.mark.parametrize("name", NAMES)
def test_compiled_epochs_are_those_of_tensors(name, n_samples, frozen):
    autoencoder = make(name, learning_rate=0.01)
    parameters = random_parameters(name, 2)
    if name == "topk":  # fewer than k positive preactivations in most samples
        parameters.encoder_bias.sub_(2)
    observations, order = observe(2, n_samples).double(), BatchOrder((0, 1), n_samples)
    single = parameters.to(torch.zeros(1)), observations.float()
    learns = [key for key in autoencoder.learns if key != "decoder" or not frozen]
    loops = CompiledDescent(autoencoder, learns, *single, OBS_DIM)
    tensors = TorchDescent(autoencoder, learns, parameters, observations, OBS_DIM)
    for _ in range(3):
        visits = order.next_epoch()
        losses = zip(loops.epoch(visits), tensors.epoch(visits), strict=True)
        for actual, expected in losses:
            torch.testing.assert_close(actual.double(), expected, atol=1e-5, rtol=1e-4)
    for key in AutoencoderParameters._fields:
        if (expected := getattr(tensors.parameters, key)) is not None:
            actual = getattr(loops.parameters, key).double()
            torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-4, msg=key)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", NAMES)
def test_a_decoder_that_is_given_stays_and_the_rest_is_learned(name, dtype):
    seeds = (0, 1)
    autoencoder = make(name, epochs=4, renormalise_every=2, learning_rate=0.01)
    observations = observe(len(seeds), 150).to(dtype)
    decoder = 2 * random_parameters(name, len(seeds)).decoder.to(dtype)
    trained, history = train_autoencoder(autoencoder, observations, WIDTH, seeds, decoder=decoder)
    assert torch.equal(trained.decoder, decoder)
    assert (trained.decoder_bias != 0).all()
    if "encoder_weight" in autoencoder.learns:
        assert not torch.equal(trained.encoder_weight, decoder.mT)
        assert (history.reconstruction[:, -1] < history.reconstruction[:, 0]).all()


@pytest.mark.parametrize("k", [1, 4, 30])
def test_compiled_topk_takes_the_largest_positive_values(k):
    generator = torch.Generator().manual_seed(1)
    values = torch.randint(-8, 9, (200, 25), generator=generator).float()
    values[0], values[1] = -1, 3
    chosen, codes = compiled.largest(values.numpy().copy(), np.zeros(25, np.float32), k)
    dense = np.zeros((200, 25), np.float32)
    for row, atoms, taken in zip(dense, chosen, codes, strict=True):
        row[atoms[taken > 0]] = taken[taken > 0]
    expected = torch.topk(values.relu(), min(k, 25)).values
    actual = torch.topk(torch.from_numpy(dense), min(k, 25)).values
    assert torch.equal(actual, expected)


@pytest.mark.parametrize(("width", "obs_dim"), [(WIDTH, OBS_DIM), (50, 33)])
@pytest.mark.parametrize("name", NAMES)
def test_a_seed_is_trained_to_the_same_bits_alone_and_among_others(name, width, obs_dim):
    seeds = (0, 1, 2)
    autoencoder = make(name, epochs=3, renormalise_every=2)
    observations = observe(len(seeds), 150, obs_dim)
    together, history = train_autoencoder(autoencoder, observations, width, seeds)
    alone, history_alone = train_autoencoder(autoencoder, observations[1:2], width, seeds[1:2])
    codes = autoencoder.encode(together, observations)
    assert torch.equal(codes[1:2], autoencoder.encode(alone, observations[1:2]))
    for value, value_alone in zip((*together, *history), (*alone, *history_alone), strict=True):
        if value is not None:
            assert torch.equal(value[1:2], value_alone)


@pytest.mark.parametrize("name", NAMES)
def test_training_lowers_the_loss_and_reports_every_epoch(name):
    seeds = (0, 1)
    epochs = []
    autoencoder = make(name, epochs=5, learning_rate=0.01)
    _, history = train_autoencoder(
        autoencoder, observe(2, 100), WIDTH, seeds, on_epoch=lambda epoch, _: epochs.append(epoch)
    )
    assert epochs == list(range(5))
    assert history.reconstruction.shape == history.regulariser.shape == (2, 5)
    assert (history.reconstruction[:, -1] < history.reconstruction[:, 0]).all()
    assert (history.regulariser > 0).all() == (name in ("relu", "jumprelu"))


@pytest.mark.parametrize("name", NAMES)
def test_history_is_the_loss_of_the_codes_over_all_samples(name):
    autoencoder = make(name, epochs=1, learning_rate=1e-9, weight_decay=0.0)
    observations = observe(2, 150)
    parameters, history = train_autoencoder(autoencoder, observations, WIDTH, (0, 1))
    codes = autoencoder.encode(parameters, observations)
    error = codes @ parameters.decoder.mT + parameters.decoder_bias[:, None] - observations
    torch.testing.assert_close(history.reconstruction[:, 0], error.square().mean((1, 2)))
    cost = {"relu": codes.sum(2).mean(1), "jumprelu": (codes > 0).sum(2).float().mean(1)}
    torch.testing.assert_close(history.regulariser[:, 0], cost.get(name, torch.zeros(2)))


def test_columns_are_renormalised_after_the_scheduled_epochs_only():
    unit = {}

    def record(epoch: int, parameters: AutoencoderParameters) -> None:
        norms = parameters.decoder.norm(dim=1)
        unit[epoch] = torch.allclose(norms, torch.ones_like(norms), atol=1e-6)

    autoencoder = make("relu", epochs=5, renormalise_every=2, learning_rate=0.01)
    train_autoencoder(autoencoder, observe(1, 100), WIDTH, (0,), on_epoch=record)
    assert unit == {0: True, 1: False, 2: True, 3: False, 4: True}


def test_topk_keeps_at_most_k_codes_of_a_sample_and_they_are_positive():
    codes = make("topk").encode(random_parameters("topk", 2), observe(2, 50).double())
    assert (codes >= 0).all()
    assert (codes > 0).sum(2).max() == K


def test_pursuit_takes_k_different_atoms_of_either_sign_and_never_the_encoder():
    parameters = random_parameters("mp", 2)
    codes = make("mp").encode(parameters, observe(2, 50).double())
    assert ((codes != 0).sum(2) == K).all()
    assert (codes < 0).any()
    blind = parameters._replace(
        encoder_weight=torch.full_like(parameters.encoder_weight, torch.nan)
    )
    assert torch.equal(codes, make("mp").encode(blind, observe(2, 50).double()))


def test_pursuit_leaves_the_encoder_as_it_was_drawn():
    autoencoder = make("mp", epochs=2)
    trained, _ = train_autoencoder(autoencoder, observe(1, 100), WIDTH, (0,))
    initial = autoencoder.initial_parameters((0,), WIDTH, OBS_DIM)
    assert torch.equal(trained.encoder_weight, initial.encoder_weight)
    assert torch.equal(trained.encoder_bias, initial.encoder_bias)
    assert not torch.equal(trained.decoder, initial.decoder)


def test_jumprelu_silences_codes_below_the_threshold():
    parameters = random_parameters("jumprelu", 1)
    codes = make("jumprelu").encode(parameters, observe(1, 50).double())
    threshold = parameters.log_threshold.clamp(max=20).exp()
    assert ((codes == 0) | (codes > threshold[:, None])).all()
    assert (codes > 0).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (lambda: TrainingSettings(epochs=0), "epochs must be a positive integer, got 0"),
        (lambda: TrainingSettings(batch_size=-1), "batch_size must be a positive integer, got -1"),
        (lambda: TrainingSettings(learning_rate=0.0), "learning_rate must be a positive number"),
        (lambda: TrainingSettings(record_every=0), "record_every must be a positive integer"),
        (
            lambda: TrainingSettings(weight_decay=-1.0),
            "weight_decay must be a number of at least 0",
        ),
        (lambda: ReluSettings(penalty=float("nan")), "penalty must be a number of at least 0"),
        (lambda: JumpReluSettings(bandwidth=0.0), "bandwidth must be a positive number, got 0.0"),
        (lambda: JumpReluSettings(threshold_start=-1.0), "threshold_start must be a positive"),
        (lambda: TopK(TrainingSettings(), 0), "k must be a positive integer, got 0"),
        (lambda: MatchingPursuit(TrainingSettings(), 0), "k must be a positive integer, got 0"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        settings()


def test_observations_must_have_one_entry_for_each_seed():
    with pytest.raises(ValueError, match=r"must have shape \(2, sample, obs\), got \(3, 20, 7\)"):
        train_autoencoder(make("relu"), observe(3, 20), WIDTH, (0, 1))
