"""Dictionary learning started from an SAE's decoder."""

from functools import partial

import xarray as xr

from sae_surgery.drawing.surgery import READING, Layout, surgery_figure
from sae_surgery.tables.answers import (
    at_sizes,
    decimals,
    first_step,
    median_sae,
    percent,
    seed_mean,
    steps,
)
from sae_surgery.tables.summary import PUBLISHED

INPUTS = ("warm_start_decoder",)
QUESTION = (
    "Is an SAE's decoder a better start for dictionary learning than a random dictionary? After "
    "each number of rounds, from the SAE's decoder and from random. Codes lag the dictionary by "
    "one round, so that what a random start has after the first is chance. The oracle is shown as "
    f"it is before any round. {READING}"
)

_STEP = "n_rounds"
_NEARLY = 0.9  # of what a random start reaches in the end


def _answer(table: xr.Dataset) -> str:
    mcc = seed_mean(table["mcc_ood"])
    warm, cold = mcc.sel(condition="warm"), mcc.sel(condition="cold")
    goal = _NEARLY * cold.isel({_STEP: -1})
    rounds = [median_sae(first_step(start, goal, _STEP)) for start in (warm, cold)]
    ahead = median_sae((warm - cold).isel({_STEP: -1}))
    instead = partial(_instead, last=float(table[_STEP][-1]))
    return (
        f"Rounds to {percent(_NEARLY)} of where a random start ends in MCC out of distribution "
        f"(median over SAEs): {at_sizes(instead, *rounds)}. In the end the SAE's decoder is ahead "
        f"by {at_sizes(decimals, ahead)}."
    )


def _instead(warm: float, cold: float, last: float) -> str:
    return f"{steps(warm, last)} instead of {steps(cold, last)}"


draw, numbers = surgery_figure(
    Layout(
        "warm_start_decoder",
        QUESTION,
        _answer,
        conditions={"warm": "from the SAE's decoder", "cold": "from random"},
        step=_STEP,
        quantities=(*PUBLISHED, "dictionary_mean_cosine", "dictionary_share_above_090"),
    )
)
