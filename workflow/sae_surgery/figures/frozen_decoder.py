"""FISTA in the place of an SAE's encoder, on its decoder."""

import xarray as xr

from sae_surgery.drawing.surgery import READING, Layout, surgery_figure
from sae_surgery.tables.answers import (
    at_most,
    at_sizes,
    decimals,
    gap_closed,
    median_sae,
    oracle_of,
    over_saes,
    percent_range,
    seed_mean,
)

INPUTS = ("frozen_decoder",)
QUESTION = (
    "Is an SAE's decoder a bad dictionary, or does its encoder read a good one badly? Codes by the "
    "SAE's own encoder, by FISTA on its decoder, by FISTA on the decoder with unit or with "
    f"true norms, and by FISTA warm-started from the SAE's codes. {READING}"
)


_VARIANTS = ("renormed", "oracle_norms", "refined")


def _answer(table: xr.Dataset) -> str:
    mcc = seed_mean(table["mcc_ood"])
    own, frozen = mcc.sel(condition="own"), mcc.sel(condition="frozen")
    closed = over_saes(gap_closed(own, frozen, oracle_of(own)))
    cosine = seed_mean(table["dictionary_mean_cosine"]).sel(condition="own")
    others = mcc.sel(condition=[*_VARIANTS]) - frozen
    apart = float(abs(others.where(mcc["family"] == "sae")).max())
    return (
        f"In the encoder's place, FISTA closes {at_sizes(percent_range, *closed)} of the gap to "
        "the oracle in MCC out of distribution (median and range over SAEs). The median decoder's "
        f"|cosine| to the true atoms is {at_sizes(decimals, median_sae(cosine))}. "
        f"Other norms, or a start from the SAE's codes, change MCC by {at_most(apart)}."
    )


draw, numbers = surgery_figure(
    Layout(
        "frozen_decoder",
        QUESTION,
        _answer,
        conditions={
            "own": "own\ncodes",
            "frozen": "FISTA",
            "renormed": "unit\nnorms",
            "oracle_norms": "true\nnorms",
            "refined": "warm\nstart",
        },
        main_conditions=("own", "frozen"),
        by_size=(
            "dictionary_mean_cosine",
            "dictionary_mean_signed_cosine",
            "dictionary_share_above_090",
            "dictionary_mean_angular_error",
            "dictionary_mean_norm_ratio",
            "dictionary_share_wrong_sign",
        ),
    )
)
