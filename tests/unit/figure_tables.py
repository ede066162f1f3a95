"""Made-up tables to draw."""

from pathlib import Path

import numpy as np
import xarray as xr
import yaml

from sae_surgery import figures, metrics, surgeries
from sae_surgery.drawing import style
from sae_surgery.tables.corrections import CORRECTIONS
from sae_surgery.tables.summary import PUBLISHED

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
# Axes whose values tests rely on; those of other experiments are read off config/ and surgeries.
SWEPT = {
    "latents": {"n_latents": [50, 100]},
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
STEPS = {"lam": [0.01, 0.1, 1.0], "epoch": [0, 10, 100, 499], "factor": [0.1, 1.0, 10.0]}

READ = {table for name in figures.available() for table in figures.inputs(name)}


def configured_sweeps():
    """Return the axes of all sweeps in config/ that a figure reads, by experiment."""
    found = {}
    for path in sorted((Path(__file__).parents[2] / "config").glob("*.yaml")):
        sweeps = yaml.safe_load(path.read_text(encoding="utf-8")).get("sweeps") or {}
        for name, sweep in sweeps.items():
            found[name] = {axis: sweep[axis] for axis in sweep.get("over", ["n_latents"])}
    return {name: axes for name, axes in (found | SWEPT).items() if name in READ}


def axes_of_surgery(name):
    """Return the axes of a surgery's table: conditions, sizes, and its own sweep if it has one."""
    step = surgeries.trait(name, "step")
    conditions = surgeries.trait(name, "conditions") or ("own",)
    axes = {"condition": [*conditions], "n_latents": [50, 100]}
    return axes | ({step: STEPS.get(step, [0, 1, 10, 100])} if step else {})


SWEEPS = configured_sweeps()
SURGERIES = {name: axes_of_surgery(name) for name in surgeries.available() if name in READ}
OTHERS = {"audit": {"condition": [*CORRECTIONS], "n_latents": [50, 100]}}


def make_table(experiment, methods=tuple(LEVELS), seeds=3, levels=LEVELS):
    """Make a table of an experiment; every variable is its method's level and a little noise."""
    axes = (SWEEPS | SURGERIES | OTHERS)[experiment]
    names = [
        *dict.fromkeys(
            [
                *PUBLISHED,
                *(name for each in metrics.PROTOCOLS for name in metrics.quantities(each)),
                "val_mse",
                "val_l0",
            ]
        )
    ]
    random = np.random.default_rng(0)
    shape = (len(methods), *map(len, axes.values()), seeds)
    level = np.reshape([levels[m][2] for m in methods], (-1,) + (1,) * (len(shape) - 1))
    coords = {
        "method": list(methods),
        **{name: (name, values, {"long_name": f"number {name}"}) for name, values in axes.items()},
        "seed": np.arange(seeds),
        "title": ("method", [levels[m][0] for m in methods]),
        "family": ("method", [levels[m][1] for m in methods]),
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


def words(figure):
    """Return what stands in the head, the notes and the legends of a figure, its lines joined."""
    texts = [each for one in figure.legends for each in (one.get_title(), *one.get_texts())]
    shown = " ".join(text.get_text() for text in texts)
    return " ".join(shown.replace("\N{NO-BREAK SPACE}", " ").split())


def lines_of(axis, method, table):
    """Return the lines of a method, found by its look; bars have no marker."""
    look = style.looks(table["family"].to_series().to_dict())[method]
    wanted = look.color, look.marker
    return [line for line in axis.lines if (line.get_color(), line.get_marker()) == wanted]
