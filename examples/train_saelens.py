"""Train a TopK SAE with SAELens on a matrix of activations, and save it as SAELens does.

.venv-loaders/bin/python examples/train_saelens.py acts.npy FOLDER    # minutes

needs the packages of envs/loaders.txt (`make demo` installs them in .venv-loaders). What it saves,
`sae-surgery examine --sae FOLDER --activations acts.npy` reads. Training is that of the library,
its class `SAETrainer`, over batches in random order; what is not passed has the library's default.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from sae_lens import TopKTrainingSAE, TopKTrainingSAEConfig
from sae_lens.config import SAETrainerConfig
from sae_lens.training.sae_trainer import SAETrainer

BATCH = 512


def batches(activations: np.ndarray, seed: int) -> Iterator[torch.Tensor]:
    """Yield batches (row, dimension) without end, all rows in new random order again and again."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.from_numpy(activations)
    while True:
        for chosen in torch.randperm(len(rows), generator=generator).split(BATCH):
            if len(chosen) == BATCH:
                yield rows[chosen]


def train(activations: np.ndarray, n_atoms: int, k: int, steps: int, seed: int) -> TopKTrainingSAE:
    """Return the trained SAE; the scale of its inputs is folded into its weights at the end."""
    torch.manual_seed(seed)
    settings = TopKTrainingSAEConfig(
        d_in=activations.shape[1],
        d_sae=n_atoms,
        k=k,
        normalize_activations="expected_average_only_in",
    )
    config = SAETrainerConfig(
        total_training_samples=steps * BATCH,
        train_batch_size_samples=BATCH,
        lr_end=0.0,
        lr_warm_up_steps=steps // 20,
        lr_decay_steps=steps // 5,
        n_batches_for_norm_estimate=100,
    )
    return SAETrainer(config, TopKTrainingSAE(settings), batches(activations, seed)).fit()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("activations", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--atoms", type=int, default=1536)
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--steps", type=int, default=4000, help=f"of {BATCH} rows each")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    matrix = np.load(given.activations)
    trained = train(matrix, given.atoms, given.k, given.steps, given.seed)
    trained.save_inference_model(given.folder)
