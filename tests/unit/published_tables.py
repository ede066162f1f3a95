"""Tables and released files whose numbers are the published ones."""

import json

import numpy as np
import xarray as xr

from sae_surgery.pages import published
from sae_surgery.pages.comparison.authors import METRICS, SEEDS
from sae_surgery.problems.paper import Cell

STEPS = {"warm_start_encoder": "n_iter", "warm_start_decoder": "n_rounds"}
THEIRS = {ours: theirs for theirs, ours in METRICS.items()}


def by_seed(mean, sd):
    """Return one number a seed, with this mean and population standard deviation."""
    return mean + sd * np.sqrt(1.5) * np.array([-1, 0, 1])


def make_table(experiment, sizes, seeds=SEEDS, source=None):
    """Make a run's table over n_latents; its numbers are those published by one source."""
    facts = published.facts(experiment)
    facts = facts[facts["n_latents"].isin(sizes) & np.isfinite(facts["step"].fillna(0))]
    facts = facts[facts["source"] == (source or facts["source"].iloc[0])]
    dims = ["method", "condition", "n_latents", "step"]
    axes = {dim: list(dict.fromkeys(facts[dim].fillna(0))) for dim in dims}
    values = {
        metric: np.full([*map(len, axes.values()), len(seeds)], np.nan)
        for metric in facts["metric"].unique()
    }
    for row in facts.fillna({"step": 0}).itertuples():
        place = tuple(axes[dim].index(getattr(row, dim)) for dim in dims)
        values[row.metric][place] = by_seed(row.mean, row.sd)[: len(seeds)]
    dims[-1] = STEPS.get(experiment, "step")
    table = xr.Dataset(
        {metric: ([*dims, "seed"], array) for metric, array in values.items()},
        {**dict(zip(dims, axes.values(), strict=True)), "seed": list(seeds)},
    )
    if experiment not in STEPS:
        table = table.isel(step=0, drop=True)
    if axes["condition"] == [""]:
        table = table.isel(condition=0, drop=True)
    sizes = facts[["n_latents", "k", "obs_dim", "n_samples"]].drop_duplicates().itertuples(False)
    cells = [{"cell": Cell(*size).name, "n_latents": size[0]} for size in sizes]
    sweep = {"experiment": experiment, "over": ["n_latents"], "cells": cells}
    table.attrs = {
        "settings": json.dumps(sweep),
        "experiment": experiment,
        "run": "made-up",
        "protocol": "paper",
    }
    return table


def released_rows(sizes=(50, 100)):
    """Return rows of `exp_vary_latents.json` whose means are the published ones."""
    facts = published.facts("latents")
    facts = facts[facts["n_latents"].isin(sizes)]
    rows = []
    for (method, n, k, m, samples), some in facts.groupby(
        ["method", "n_latents", "k", "obs_dim", "n_samples"]
    ):
        for index, seed in enumerate(SEEDS):
            scores = {
                THEIRS[row.metric]: by_seed(row.mean, row.sd)[index] for row in some.itertuples()
            }
            tags = {"method": method.replace("sae_mp", "sae_MP"), "num_latents": n, "k": k}
            rows.append(
                scores | tags | {"input_dim": m, "width": n, "n_samples": samples, "seed": seed}
            )
    return rows
