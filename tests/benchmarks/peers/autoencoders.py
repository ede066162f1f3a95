"""Sparse autoencoders of other libraries, trained as their users train them on data in memory.

Each function prepares a training and returns it as a pair: `train`, which takes so many steps with
batches of `BATCH` samples, and `reconstruct`.
"""

import importlib.util
import itertools
import sys
import types
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

BATCH = 64
LEARNING_RATE = 5e-4
PENALTY = 1e-4

Training = tuple[Callable[[int], None], Callable[[Tensor], Tensor]]


def sae_lens(kind: str, observations: Tensor, width: int, k: int) -> Training:
    """SAELens: `SAETrainer` over an iterator of batches."""
    from sae_lens import saes
    from sae_lens.config import SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    sizes = {"d_in": observations.shape[1], "d_sae": width}
    sae = {
        "relu": lambda: saes.StandardTrainingSAE(
            saes.StandardTrainingSAEConfig(**sizes, l1_coefficient=PENALTY)
        ),
        "topk": lambda: saes.TopKTrainingSAE(saes.TopKTrainingSAEConfig(**sizes, k=k)),
        "jumprelu": lambda: saes.JumpReLUTrainingSAE(
            saes.JumpReLUTrainingSAEConfig(**sizes, l0_coefficient=PENALTY)
        ),
        "mp": lambda: saes.MatchingPursuitTrainingSAE(
            saes.MatchingPursuitTrainingSAEConfig(
                **sizes, max_iterations=k, residual_threshold=0.0, decoder_init_norm=1.0
            )
        ),
    }[kind]()

    def train(n_steps: int) -> None:
        config = SAETrainerConfig(
            total_training_samples=n_steps * BATCH,
            train_batch_size_samples=BATCH,
            lr=LEARNING_RATE,
            lr_end=LEARNING_RATE,
        )
        SAETrainer(config, sae, _batches(observations)).fit()

    return train, sae.forward


def dictionary_learning(kind: str, observations: Tensor, width: int, k: int) -> Training:
    """dictionary_learning, which lacks matching pursuit: `update` as its `trainSAE` calls it."""
    without_init("dictionary_learning")
    from dictionary_learning import trainers

    options = {
        "steps": 10**6,
        "activation_dim": observations.shape[1],
        "dict_size": width,
        "layer": 0,
        "lm_name": "",
        "lr": LEARNING_RATE,
        "device": "cpu",
    }
    trainer = {
        "relu": lambda: trainers.StandardTrainer(**options, l1_penalty=PENALTY),
        "topk": lambda: trainers.TopKTrainer(**options, k=k),
        "jumprelu": lambda: trainers.JumpReluTrainer(**options, target_l0=k),
    }[kind]()

    def train(n_steps: int) -> None:
        for step, batch in enumerate(itertools.islice(_batches(observations), n_steps)):
            trainer.update(step, batch)

    return train, trainer.ae


def overcomplete(kind: str, observations: Tensor, width: int, k: int) -> Training:
    """overcomplete: `train_sae` over a shuffling `DataLoader`, without monitoring."""
    without_init("overcomplete")
    from overcomplete.sae import SAE, JumpSAE, MpSAE, TopKSAE, mse_l1, train_sae

    obs_dim = observations.shape[1]
    model = {
        "relu": lambda: SAE(obs_dim, width),
        "topk": lambda: TopKSAE(obs_dim, width, top_k=k),
        "jumprelu": lambda: JumpSAE(obs_dim, width),
        "mp": lambda: MpSAE(obs_dim, width, k=k),
    }[kind]()
    optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    loader = DataLoader(TensorDataset(observations), batch_size=BATCH, shuffle=True)

    def loss(x, x_hat, pre_codes, codes, dictionary):
        if kind == "relu":
            return mse_l1(x, x_hat, pre_codes, codes, dictionary, penalty=PENALTY)
        return (x - x_hat).square().mean()

    def train(n_steps: int) -> None:
        epochs = n_steps // len(loader)
        train_sae(model, loader, loss, optimiser, nb_epochs=epochs, monitoring=0)

    return train, lambda x: model(x)[2]


def bare(kind: str, observations: Tensor, width: int, k: int) -> Training:
    """Bare PyTorch: a module, autograd, fused AdamW, batches indexed in memory."""
    model = Model(kind, observations.shape[1], width, k)
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, fused=True)

    def train(n_steps: int) -> None:
        for batch in itertools.islice(_batches(observations), n_steps):
            optimiser.zero_grad()
            model.loss(batch).backward()
            optimiser.step()

    return train, model


def published(kind: str, observations: Tensor, width: int, k: int) -> Training:
    """Train as the authors did: a `DataLoader`, the decoder's gradient projected in each step."""
    model = Model(kind, observations.shape[1], width, k)
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    loader = DataLoader(TensorDataset(observations), batch_size=BATCH, shuffle=True)

    def train(n_steps: int) -> None:
        for epoch in range(n_steps // len(loader)):
            total = 0.0
            for (batch,) in loader:
                optimiser.zero_grad()
                loss = model.loss(batch)
                loss.backward()
                with torch.no_grad():
                    columns, gradient = model.decoder, model.decoder.grad
                    gradient -= (gradient * columns).sum(0, keepdim=True) * columns
                optimiser.step()
                total += loss.item()
            if epoch % 50 == 0:
                with torch.no_grad():
                    model.decoder /= model.decoder.norm(dim=0, keepdim=True)

    return train, model


class Model(nn.Module):
    """The paper's four types of autoencoder, as one writes them with autograd."""

    def __init__(self, kind: str, obs_dim: int, width: int, k: int) -> None:
        super().__init__()
        self.kind, self.k = kind, k
        self.encoder = nn.Linear(obs_dim, width)
        nn.init.zeros_(self.encoder.bias)
        weight = self.encoder.weight.detach()
        self.decoder = nn.Parameter((weight / weight.norm(dim=1, keepdim=True)).T.clone())
        self.decoder_bias = nn.Parameter(torch.zeros(obs_dim))
        if kind == "jumprelu":
            self.log_threshold = nn.Parameter(torch.full((width,), 1e-3).log())

    def encode(self, x: Tensor) -> Tensor:
        """Return codes (sample, atom)."""
        centred = x - self.decoder_bias
        if self.kind == "mp":
            return self._pursue(centred)
        pre = self.encoder(centred)
        if self.kind == "topk":
            values, atoms = pre.topk(self.k, dim=1)
            return torch.zeros_like(pre).scatter(1, atoms, values.relu())
        codes = pre.relu()
        if self.kind == "jumprelu":
            return Jump.apply(codes, self.log_threshold.exp())
        return codes

    def forward(self, x: Tensor) -> Tensor:
        """Return reconstructions."""
        return self._decode(self.encode(x))

    def loss(self, x: Tensor) -> Tensor:
        """Return the mean square error plus the penalty of the type."""
        codes = self.encode(x)
        error = (self._decode(codes) - x).square().mean()
        if self.kind == "relu":
            return error + PENALTY * codes.abs().sum(1).mean()
        if self.kind == "jumprelu":
            active = Step.apply(codes, self.log_threshold.exp())
            return error + PENALTY * active.sum(1).mean()
        return error

    def _decode(self, codes: Tensor) -> Tensor:
        if self.kind == "mp":
            return codes @ self._unit().T + self.decoder_bias
        return codes @ self.decoder.T + self.decoder_bias

    def _unit(self) -> Tensor:
        return self.decoder / self.decoder.norm(dim=0, keepdim=True)

    def _pursue(self, residual: Tensor) -> Tensor:
        unit = self._unit()
        codes = residual.new_zeros(len(residual), unit.shape[1])
        for _ in range(self.k):
            correlations = residual @ unit
            free = correlations.detach().abs().masked_fill(codes.detach() != 0, -1.0)
            atom = free.argmax(1, keepdim=True)
            coefficient = correlations.gather(1, atom)
            codes = codes.scatter(1, atom, coefficient)
            residual = residual - coefficient * unit.T[atom[:, 0]]
        return codes


BANDWIDTH = 1e-3


class Jump(torch.autograd.Function):
    """u · 1[u > θ] with a rectangle kernel for θ's gradient (Rajamanoharan et al. 2024)."""

    @staticmethod
    def forward(ctx, codes, threshold):
        ctx.save_for_backward(codes, threshold)
        return codes * (codes > threshold)

    @staticmethod
    def backward(ctx, gradient):
        codes, threshold = ctx.saved_tensors
        near = ((codes - threshold).abs() <= BANDWIDTH / 2).to(gradient.dtype)
        through = -(threshold / BANDWIDTH) * (near * gradient).sum(0)
        return gradient * (codes > threshold), through


class Step(torch.autograd.Function):
    """1[u > θ], which passes a gradient to θ alone."""

    @staticmethod
    def forward(ctx, codes, threshold):
        ctx.save_for_backward(codes, threshold)
        return (codes > threshold).to(codes.dtype)

    @staticmethod
    def backward(ctx, gradient):
        codes, threshold = ctx.saved_tensors
        near = ((codes - threshold).abs() <= BANDWIDTH / 2).to(gradient.dtype)
        return None, -(near * gradient).sum(0) / BANDWIDTH


def _batches(observations: Tensor) -> Iterator[Tensor]:
    """Yield batches of samples, shuffled anew each time round."""
    while True:
        for rows in torch.randperm(len(observations)).split(BATCH):
            yield observations[rows]


def without_init(package: str) -> None:
    """Make the modules of a package importable without running its `__init__`.

    These packages load language models or image backbones there, and the libraries to run them,
    none of which training an autoencoder needs.
    """
    if package not in sys.modules:
        spec = importlib.util.find_spec(package)
        if spec is None:
            raise ModuleNotFoundError(f"No module named {package!r}")
        module = types.ModuleType(package)
        module.__spec__, module.__path__ = spec, list(spec.submodule_search_locations)
        sys.modules[package] = module
