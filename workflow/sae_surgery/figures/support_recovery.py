"""The values of an SAE's codes fitted anew, their support kept."""

import xarray as xr

from sae_surgery.drawing.surgery import READING, Layout, surgery_figure
from sae_surgery.tables.answers import (
    at_sizes,
    decimals,
    gap_closed,
    median_sae,
    oracle_of,
    over_saes,
    percent_range,
    seed_mean,
)

INPUTS = ("support_recovery",)
QUESTION = (
    "Does an SAE find the right latents and give them wrong values, or does it find the wrong "
    "ones? The SAE's own codes, and values fitted anew on their support: by least squares clamped "
    "at zero, with the paper's arithmetic and in double precision, and by non-negative least "
    f"squares (NNLS). {READING}"
)


def _answer(table: xr.Dataset) -> str:
    mcc = seed_mean(table["mcc_ood"])
    own, refitted = mcc.sel(condition="own"), mcc.sel(condition="nnls")
    closed = over_saes(gap_closed(own, refitted, oracle_of(own)))
    f1 = seed_mean(table["support_f1_ood"]).sel(condition="own")
    return (
        f"The best values on its own support (NNLS) close {at_sizes(percent_range, *closed)} of "
        "an SAE's gap to the oracle in MCC out of distribution (median and range over SAEs). "
        f"The median F1 of that support is {at_sizes(decimals, median_sae(f1))}."
    )


draw, numbers = surgery_figure(
    Layout(
        "support_recovery",
        QUESTION,
        _answer,
        conditions={
            "own": "own\ncodes",
            "lstsq": "least sq.\n(paper)",
            "lstsq_exact": "least sq.\n(exact)",
            "nnls": "NNLS",
        },
        by_size=(
            "support_precision_ood",
            "support_recall_ood",
            "support_f1_ood",
            "support_l0_total_ood",
        ),
    )
)
