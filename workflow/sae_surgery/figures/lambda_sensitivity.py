"""FISTA on an SAE's decoder over penalties."""

import xarray as xr

from sae_surgery.drawing.surgery import READING, Layout, surgery_figure
from sae_surgery.tables.answers import at_its_best
from sae_surgery.tables.summary import PUBLISHED

INPUTS = ("lambda_sensitivity",)
QUESTION = (
    "Would another penalty λ rescue an SAE's decoder? FISTA on the SAE's decoder, from zero at "
    f"each λ and along the path from the largest λ down. {READING}"
)

_STEP = "lam"


def _answer(table: xr.Dataset) -> str:
    scores = table["mcc_ood"].sel(condition="frozen")
    return at_its_best(scores, _STEP, "Each at its own best λ, the median SAE's decoder")


draw, numbers = surgery_figure(
    Layout(
        "lambda_sensitivity",
        QUESTION,
        _answer,
        conditions={"frozen": "each λ from zero", "path": "down the path of λ"},
        step=_STEP,
        quantities=(*PUBLISHED, "support_f1_ood", "support_l0_total_ood"),
        held=False,
    )
)
