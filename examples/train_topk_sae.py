"""Train a TopK SAE on a matrix of activations, and save it in the plain format.

python examples/train_topk_sae.py acts.npy sae.npz --rows 20000    # a minute or two on one core

A plain loop: unit atoms, bias of the decoder taken off the input, Adam on the squared error. What
it saves, `sae-surgery examine --sae sae.npz --activations acts.npy` reads.
"""

import argparse
from pathlib import Path

import numpy as np
import torch


def train(
    activations: np.ndarray,
    n_atoms: int,
    k: int,
    epochs: int,
    seed: int = 0,
    batch: int = 256,
    rate: float = 1e-3,
) -> dict[str, np.ndarray]:
    """Return the parameters by their names in the plain format.

    Activations are (row, dimension); codes are the k largest of W (x − b) + c, where positive, and
    reconstruct as D z + b.
    """
    generator = torch.Generator().manual_seed(seed)
    x = torch.from_numpy(np.array(activations, dtype=np.float32))
    atoms = torch.randn(n_atoms, x.shape[1], generator=generator)
    atoms = torch.nn.Parameter(atoms / atoms.norm(dim=1, keepdim=True))
    encoder = torch.nn.Parameter(atoms.detach().clone())
    encoder_bias = torch.nn.Parameter(torch.zeros(n_atoms))
    bias = torch.nn.Parameter(x.mean(dim=0))
    optimiser = torch.optim.Adam([atoms, encoder, encoder_bias, bias], lr=rate)
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=generator).split(batch):
            inputs = x[rows] - bias
            values, chosen = (inputs @ encoder.T + encoder_bias).relu().topk(k, dim=1)
            codes = torch.zeros(len(rows), n_atoms).scatter(1, chosen, values)
            loss = (codes @ atoms - inputs).square().sum(dim=1).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            with torch.no_grad():
                atoms /= atoms.norm(dim=1, keepdim=True)
    trained = {
        "dictionary": atoms.T,
        "encoder_weight": encoder,
        "encoder_bias": encoder_bias,
        "decoder_bias": bias,
        "input_bias": bias,
    }
    arrays = {name: value.detach().numpy().copy() for name, value in trained.items()}
    return arrays | {"k": np.array(k)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("activations", type=Path)
    parser.add_argument("sae", type=Path)
    parser.add_argument("--rows", type=int, default=None, help="the first so many; default: all")
    parser.add_argument("--atoms", type=int, default=1024)
    parser.add_argument("--k", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    matrix = np.load(given.activations, mmap_mode="r")[: given.rows]
    np.savez(given.sae, **train(matrix, given.atoms, given.k, given.epochs, given.seed))
