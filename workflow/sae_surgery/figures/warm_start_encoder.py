"""FISTA on an SAE's decoder, started from the SAE's codes."""

from functools import partial

import xarray as xr

from sae_surgery.drawing.surgery import READING, Layout, surgery_figure
from sae_surgery.tables.answers import at_sizes, decimals, first_step, median_sae, seed_mean, steps
from sae_surgery.tables.summary import PUBLISHED

INPUTS = ("warm_start_encoder",)
QUESTION = (
    "How many iterations of FISTA is an SAE's encoder worth? On the SAE's decoder after each "
    "number of iterations, from the SAE's codes and from zero. Oracle and chance are shown as they "
    f"are before any iteration. {READING}"
)

_STEP = "n_iter"
_TOLERANCE = 0.01  # in MCC


def _answer(table: xr.Dataset) -> str:
    mcc = seed_mean(table["mcc_ood"])
    warm, cold = mcc.sel(condition="warm"), mcc.sel(condition="cold")
    worth = median_sae(first_step(cold, warm.isel({_STEP: 0}) - _TOLERANCE, _STEP))
    apart = median_sae(abs(warm - cold).isel({_STEP: -1}))
    write = partial(steps, last=float(table[_STEP][-1]))
    return (
        f"Iterations from zero to within {_TOLERANCE:g} of the SAE's own MCC out of distribution "
        f"(median over SAEs): {at_sizes(write, worth)}. In the end the two starts differ by "
        f"{at_sizes(decimals, apart)}."
    )


draw, numbers = surgery_figure(
    Layout(
        "warm_start_encoder",
        QUESTION,
        _answer,
        conditions={"warm": "from the SAE's codes", "cold": "from zero"},
        step=_STEP,
        quantities=(*PUBLISHED, "support_f1_ood"),
    )
)
