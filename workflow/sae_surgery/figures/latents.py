"""Recovery against the number of latents."""

from sae_surgery.drawing.sweep import READING, sweep_figure

INPUTS = ("latents",)
QUESTION = (
    "As latents outgrow the observations that superpose them, which methods still recover them, "
    f"and on combinations never seen in training? {READING}"
)
draw, numbers = sweep_figure("latents", "n_latents", question=QUESTION)
