"""Recovery of latents of either sign."""

from sae_surgery.drawing.sweep import READING, RECOVERED, RECOVERY, sweep_figure

INPUTS = ("signed",)
QUESTION = f"Where latents take either sign, which methods recover them? {READING}"
draw, numbers = sweep_figure("signed", "n_latents", RECOVERED, RECOVERY, question=QUESTION)
