"""Recovery at numbers of latents that most methods no longer fit."""

from sae_surgery.drawing.sweep import READING, sweep_figure

INPUTS = ("large_latents",)
QUESTION = (
    "Which methods still run, and still recover the latents, when there are up to a million? "
    f"{READING}"
)
draw, numbers = sweep_figure("large_latents", "n_latents", question=QUESTION)
