"""The dictionary while it is learned, by SAEs and by dictionary learning."""

from functools import partial

import xarray as xr

from sae_surgery.drawing.surgery import Layout, surgery_figure
from sae_surgery.metrics.measures.quantity import Quantity
from sae_surgery.tables.answers import (
    at_sizes,
    decimals,
    first_step,
    last_known,
    median_sae,
    seed_mean,
    steps,
)

INPUTS = ("learning_dynamics",)
QUESTION = (
    "When does an SAE's learning go wrong? The dictionary after each epoch (SAEs) or round "
    "(DL-FISTA) of training. Mean over seeds, with bars of one standard deviation either side. "
    "A |cosine| of 1 is the true dictionary; what the curves start from is chance."
)

_STEP = "epoch"


def _answer(table: xr.Dataset) -> str:
    cosine = table["dictionary_mean_cosine"].isel(condition=0)
    first = seed_mean(cosine.isel({_STEP: 0}))
    last = seed_mean(last_known(cosine, _STEP))
    halfway = median_sae(first_step(seed_mean(cosine), (first + last) / 2, _STEP))
    write = partial(steps, last=float(table[_STEP][-1]))
    learned = last.where(last["family"] == "sparse coding").max("method")
    return (
        "The median SAE's decoder starts and ends at a |cosine| to the true atoms of "
        f"{at_sizes(_from_to, median_sae(first), median_sae(last))}; half of the way is done by "
        f"epoch {at_sizes(write, halfway)}. Dictionary learning ends at "
        f"{at_sizes(decimals, learned)}."
    )


def _from_to(first: float, last: float) -> str:
    return f"{decimals(first)} and {decimals(last)}"


draw, numbers = surgery_figure(
    Layout(
        "learning_dynamics",
        QUESTION,
        _answer,
        conditions={"training": "training"},
        step=_STEP,
        main="dictionary_mean_cosine",
        quantities=(
            "dictionary_mean_cosine",
            "dictionary_mean_signed_cosine",
            "dictionary_share_above_090",
            "dictionary_mean_norm_ratio",
            "val_mse",
            "val_l0",
        ),
        diagnostics={
            "val_mse": Quantity("Validation MSE", "squared error on val", axis="count"),
            "val_l0": Quantity("Active atoms", "number of active codes on val", axis="count"),
        },
    )
)
