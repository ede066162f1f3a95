"""Recovery against the noise on the observations."""

from sae_surgery.drawing.sweep import READING, RECOVERED, RECOVERY, sweep_figure

INPUTS = ("noisy",)
QUESTION = f"How much noise on the observations does recovery bear? {READING}"
draw, numbers = sweep_figure("noisy", "snr_db", RECOVERED, RECOVERY, question=QUESTION)
