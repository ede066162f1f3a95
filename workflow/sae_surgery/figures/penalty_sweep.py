"""SAEs trained with other penalties."""

import xarray as xr

from sae_surgery.figures.answers import at_sizes, decimals, median_sae, oracle_of, seed_mean
from sae_surgery.figures.summary import METRICS
from sae_surgery.figures.surgery import READING, Layout, surgery_figure

INPUTS = ("penalty_sweep",)
QUESTION = (
    "Would another penalty rescue an SAE? Each SAE trained anew, with a multiple of its published "
    f"penalty, or of k where it is told k. {READING}"
)

_STEP = "factor"


def _answer(table: xr.Dataset) -> str:
    best = seed_mean(table["mcc_ood"]).sel(condition="trained").max(_STEP)
    return (
        "Each at its own best factor, the median SAE reaches an MCC out of distribution of "
        f"{at_sizes(decimals, median_sae(best))}; the true dictionary, of "
        f"{at_sizes(decimals, oracle_of(best))}."
    )


draw, numbers = surgery_figure(
    Layout(
        "penalty_sweep",
        QUESTION,
        _answer,
        conditions={"trained": "trained anew"},
        step=_STEP,
        quantities=(*METRICS, "support_f1_ood", "support_l0_total_ood"),
        by_size=(),
    )
)
