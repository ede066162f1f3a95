"""Made-up tables to draw."""

import numpy as np
import xarray as xr

from sae_surgery import metrics
from sae_surgery.tables.corrections import CORRECTIONS
from sae_surgery.tables.summary import METRICS

# Published MCC in distribution at n = 50, k = 10; the last three are made up.
LEVELS = {
    "sae_relu": ("SAE (ReLU)", "sae", 0.54),
    "sae_topk": ("SAE (TopK)", "sae", 0.66),
    "sae_jumprelu": ("SAE (JumpReLU)", "sae", 0.34),
    "sae_mp": ("SAE (MP)", "sae", 0.36),
    "fista_oracle": ("FISTA (oracle)", "oracle", 0.97),
    "dl_fista": ("DL-FISTA", "sparse coding", 0.93),
    "softplus_adam": ("Softplus-Adam", "sparse coding", 0.53),
    "linear_probe": ("Linear probe", "linear", 0.81),
    "pca": ("PCA", "linear", 0.14),
    "random_dictionary": ("Random dictionary", "chance", 0.31),
    "sae_mine": ("My SAE", "sae", 0.7),
}
SWEEPS = {
    "composed": {"n_latents": [50, 100, 200]},
    "latents": {"n_latents": [50, 100]},
    "noisy": {"snr_db": [0.0, 10.0, 20.0, 30.0, 40.0]},
    "patches": {"k": [2, 5, 10, 20]},
    "signed": {"n_latents": [50, 100]},
    "large_latents": {"n_latents": [1000, 10000, 100000, 500000, 1000000]},
    "samples": {"n_samples": [100, 500, 1000, 5000, 10000, 50000, 100000]},
    "samples_large": {"n_samples": [100, 500, 1000, 5000, 10000]},
    "sparsity": {"k": [2, 5, 10, 20, 50, 100]},
    "scaling": {"n_latents": [100, 500], "samples_per_latent": [1, 2.5, 10]},
    "phase_transition": {
        "n_latents": [50, 100],
        "k": [3, 10],
        "obs_dim_factor": [0.5, 1.0, 2.0, 4.0],
    },
}


SURGERIES = {
    "frozen_decoder": {
        "condition": ["own", "frozen", "renormed", "oracle_norms", "refined"],
        "n_latents": [50, 100],
    },
    "learned_dictionary": {"condition": ["own", "learned", "true"], "n_latents": [50, 100]},
    "support_recovery": {
        "condition": ["own", "lstsq", "lstsq_exact", "nnls"],
        "n_latents": [50, 100],
    },
    "warm_start_decoder": {
        "condition": ["warm", "cold"],
        "n_latents": [50, 100],
        "n_rounds": [0, 1, 10, 100],
    },
    "warm_start_encoder": {
        "condition": ["warm", "cold"],
        "n_latents": [50, 100],
        "n_iter": [0, 1, 10, 100],
    },
    "lambda_sensitivity": {
        "condition": ["frozen", "path"],
        "n_latents": [50, 100],
        "lam": [0.01, 0.1, 1.0],
    },
    "learning_dynamics": {
        "condition": ["training"],
        "n_latents": [50, 100],
        "epoch": [0, 10, 100, 499],
    },
    "penalty_sweep": {
        "condition": ["trained"],
        "n_latents": [50, 100],
        "factor": [0.1, 1.0, 10.0],
    },
}


OTHERS = {"audit": {"condition": [*CORRECTIONS], "n_latents": [50, 100]}}


def make_table(experiment, methods=tuple(LEVELS), seeds=3):
    """Make a table of an experiment; every variable is its method's level and a little noise."""
    axes = (SWEEPS | SURGERIES | OTHERS)[experiment]
    names = [
        *dict.fromkeys(
            [
                *METRICS,
                *(name for each in metrics.PROTOCOLS for name in metrics.quantities(each)),
                "val_mse",
                "val_l0",
            ]
        )
    ]
    random = np.random.default_rng(0)
    shape = (len(methods), *map(len, axes.values()), seeds)
    level = np.reshape([LEVELS[m][2] for m in methods], (-1,) + (1,) * (len(shape) - 1))
    coords = {
        "method": list(methods),
        **{name: (name, values, {"long_name": f"number {name}"}) for name, values in axes.items()},
        "seed": np.arange(seeds),
        "title": ("method", [LEVELS[m][0] for m in methods]),
        "family": ("method", [LEVELS[m][1] for m in methods]),
    }
    variables = {
        metric: (("method", *axes, "seed"), level + random.normal(0, 0.01, shape))
        for metric in names
    }
    table = xr.Dataset(variables, coords)
    if experiment == "phase_transition":
        table["obs_dim"] = (tuple(axes), observation_dims(axes))
    if experiment == "scaling":
        table["least_samples_per_latent"] = (tuple(axes), np.full(shape[1:-1], 1.2))
    return table


def observation_dims(axes):
    n, k, factor = np.meshgrid(*axes.values(), indexing="ij")
    dims = np.minimum(n, np.ceil(factor * k * np.log(n / k))).astype(int)
    dims[0, 0, 0] = 0  # no such cell
    return dims
