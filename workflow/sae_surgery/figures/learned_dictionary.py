"""An SAE with a better dictionary, and an encoder trained anew on it."""

import xarray as xr

from sae_surgery.drawing.surgery import READING, Layout, surgery_figure
from sae_surgery.tables.answers import (
    at_sizes,
    decimals,
    gap_closed,
    oracle_of,
    over_saes,
    percent_range,
    seed_mean,
)

INPUTS = ("learned_dictionary",)
QUESTION = (
    "Is it the dictionary that an SAE learns, or that its encoder is amortised? Each as it was "
    "trained, with the dictionary of DL (scaled) as a decoder that stays as it is and an encoder "
    "trained anew, and so with the true dictionary. DL (scaled) itself solves for its codes. "
    f"{READING}"
)


def _answer(table: xr.Dataset) -> str:
    mcc = seed_mean(table["mcc_ood"])
    own = mcc.sel(condition="own")
    learned, true = (
        over_saes(gap_closed(own, mcc.sel(condition=condition), oracle_of(own)))
        for condition in ("learned", "true")
    )
    solved = mcc.sel(condition="own").where(table["method"] == "dl_scaled").max("method")
    return (
        f"The learned dictionary closes {at_sizes(percent_range, *learned)} of the gap to the "
        "oracle in MCC out of distribution (median and range over SAEs), the true one "
        f"{at_sizes(percent_range, *true)}. Exact codes on the learned dictionary reach an MCC "
        f"of {at_sizes(decimals, solved)}."
    )


draw, numbers = surgery_figure(
    Layout(
        "learned_dictionary",
        QUESTION,
        _answer,
        conditions={
            "own": "as\ntrained",
            "learned": "learned\ndictionary",
            "true": "true\ndictionary",
        },
        quantities=(
            "mcc_id",
            "mcc_ood",
            "auc_ood",
            "dictionary_mean_cosine",
            "support_f1_ood",
            "support_l0_total_ood",
        ),
    )
)
