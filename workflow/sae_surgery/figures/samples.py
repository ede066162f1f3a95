"""Recovery against the number of samples."""

from sae_surgery.drawing.sweep import READING, sweep_figure

INPUTS = ("samples",)
QUESTION = (
    "Do more samples close the gap to the oracle, in distribution and on combinations never seen "
    f"in training? {READING}"
)
draw, numbers = sweep_figure("samples", "n_samples", question=QUESTION)
