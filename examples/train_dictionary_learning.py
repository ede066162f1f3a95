"""Train a TopK SAE with dictionary_learning on a matrix of activations, and save it as it does.

.venv-loaders/bin/python examples/train_dictionary_learning.py acts.npy FOLDER    # minutes

needs the packages of envs/loaders.txt (`make demo` installs them in .venv-loaders). What it saves,
`sae-surgery examine --sae FOLDER --activations acts.npy` reads. Training is that of the library,
its `trainSAE` with `TopKTrainer`, over batches in random order; what is not passed has the
library's default.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from dictionary_learning.trainers.top_k import TopKTrainer
from dictionary_learning.training import trainSAE

BATCH = 512


def batches(activations: np.ndarray, seed: int) -> Iterator[torch.Tensor]:
    """Yield batches (row, dimension) without end, all rows in new random order again and again."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.from_numpy(activations)
    while True:
        for chosen in torch.randperm(len(rows), generator=generator).split(BATCH):
            if len(chosen) == BATCH:
                yield rows[chosen]


def train(
    activations: np.ndarray, folder: Path, n_atoms: int, k: int, steps: int, seed: int
) -> None:
    """Train an SAE, which is saved to `folder/trainer_0`, and move its files to `folder`."""
    settings = {
        "trainer": TopKTrainer,
        "activation_dim": activations.shape[1],
        "dict_size": n_atoms,
        "k": k,
        "steps": steps,
        "warmup_steps": steps // 20,
        "decay_start": steps - steps // 5,
        "seed": seed,
        "device": "cpu",
        # What its configuration tells of the model; it changes nothing.
        "layer": 3,
        "lm_name": "all-MiniLM-L6-v2",
    }
    trainSAE(
        batches(activations, seed),
        [settings],
        steps,
        save_dir=str(folder),
        normalize_activations=True,
        device="cpu",
    )
    for saved in (folder / "trainer_0").iterdir():
        saved.replace(folder / saved.name)
    (folder / "trainer_0").rmdir()


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
    train(matrix, given.folder, given.atoms, given.k, given.steps, given.seed)
