"""SAEs trained with other penalties."""

import xarray as xr

from sae_surgery.drawing.surgery import READING, Layout, surgery_figure
from sae_surgery.tables.answers import at_its_best
from sae_surgery.tables.summary import PUBLISHED

INPUTS = ("penalty_sweep",)
QUESTION = (
    "Would another penalty rescue an SAE? Each SAE trained anew, with a multiple of its published "
    f"penalty, or of k where it is told k. {READING}"
)

_STEP = "factor"


def _answer(table: xr.Dataset) -> str:
    scores = table["mcc_ood"].sel(condition="trained")
    return at_its_best(scores, _STEP, "Each at its own best factor, the median SAE")


draw, numbers = surgery_figure(
    Layout(
        "penalty_sweep",
        QUESTION,
        _answer,
        conditions={"trained": "trained anew"},
        step=_STEP,
        quantities=(*PUBLISHED, "support_f1_ood", "support_l0_total_ood"),
        by_size=(),
    )
)
