"""Training of sparse autoencoders: time of a step, one batch of 64 samples for one seed.

Ours trains three seeds in one stack; the others one model. Libraries differ in the losses and the
care they take of dead latents; all must reconstruct better than before training.
"""

import time
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from benchmarks.harness import Comparison, Contestant, Readings
from benchmarks.peers import autoencoders
from benchmarks.problems import K, draw
from sae_surgery.inference.columns import unit_columns
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
    train_autoencoder,
)

SEEDS = (0, 1, 2)
KINDS = ("relu", "topk", "jumprelu", "mp")
PEERS = {
    "bare PyTorch": autoencoders.bare,
    "published": autoencoders.published,
    "SAELens": autoencoders.sae_lens,
    "dictionary_learning": autoencoders.dictionary_learning,
    "overcomplete": autoencoders.overcomplete,
}
LACKING = ("dictionary_learning", "mp")
TARGET = 3.0
LEARNS = 1.0
EPOCHS = {"relu": 8, "topk": 8, "jumprelu": 8, "mp": 2}


def comparisons(quick: bool) -> Iterator[Comparison]:
    """Yield all types at (m, n) = (47, 100) and (93, 1000), on one thread."""
    for n_latents in (100, 1000):
        for kind in KINDS:
            yield _comparison(kind, n_latents, 1 if quick else EPOCHS[kind])


def _comparison(kind: str, n_latents: int, epochs: int) -> Comparison:
    cell = draw(n_latents).cell
    stacked = torch.cat([draw(n_latents, seed=seed).tensor("train") for seed in SEEDS])
    y = stacked[0].contiguous()
    n_steps = epochs * -(-len(y) // autoencoders.BATCH)

    def remaining(before: Tensor, after: Tensor) -> float:
        """Return the squared error after training over that before."""
        return float((after - y).square().mean() / (before - y).square().mean())

    def ours() -> Readings:
        autoencoder = _autoencoder(kind, epochs)
        before = autoencoder.initial_parameters(SEEDS, n_latents, cell.obs_dim)
        start = time.perf_counter()
        after, _ = train_autoencoder(autoencoder, stacked, n_latents, SEEDS)
        seconds = (time.perf_counter() - start) / (len(SEEDS) * n_steps)
        reconstructions = (_reconstruct(autoencoder, each, stacked)[0] for each in (before, after))
        return Readings({"": seconds}, remaining(*reconstructions))

    def peer(prepare) -> Readings:
        torch.manual_seed(0)
        train, reconstruct = prepare(kind, y, n_latents, K)
        with torch.no_grad():
            before = reconstruct(y)
        start = time.perf_counter()
        train(n_steps)
        seconds = (time.perf_counter() - start) / n_steps
        with torch.no_grad():
            return Readings({"": seconds}, remaining(before, reconstruct(y)))

    def judge(error: float) -> dict[str, float]:
        return {"squared error, share of that before training": error}

    contestants = [
        Contestant("ours", ours, tolerance=LEARNS, note=f"{len(SEEDS)} seeds in one stack"),
        *(
            Contestant(
                name,
                partial(peer, prepare),
                tolerance=LEARNS,
                target=TARGET,
                skip="has no matching pursuit" if (name, kind) == LACKING else "",
            )
            for name, prepare in PEERS.items()
        ),
    ]
    size = f"{kind}, m = {cell.obs_dim}, n = {n_latents}, a step"
    return Comparison("sae_training", size, n_latents, contestants, judge)


def _autoencoder(kind: str, epochs: int) -> Autoencoder:
    return {
        "relu": lambda: Relu(ReluSettings(epochs=epochs)),
        "topk": lambda: TopK(TrainingSettings(epochs=epochs), K),
        "jumprelu": lambda: JumpRelu(JumpReluSettings(epochs=epochs)),
        "mp": lambda: MatchingPursuit(TrainingSettings(epochs=epochs), K),
    }[kind]()


def _reconstruct(
    autoencoder: Autoencoder, parameters: AutoencoderParameters, observations: Tensor
) -> Tensor:
    decoder = parameters.decoder
    if isinstance(autoencoder, MatchingPursuit):
        decoder = unit_columns(decoder)
    codes = autoencoder.encode(parameters, observations)
    return codes @ decoder.mT + parameters.decoder_bias[:, None]
