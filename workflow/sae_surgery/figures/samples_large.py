"""Recovery against the number of samples, of a large problem."""

from sae_surgery.drawing.sweep import READING, sweep_figure

INPUTS = ("samples_large",)
QUESTION = (
    "At ten thousand latents, do more samples close the gap to the oracle, in distribution and on "
    f"combinations never seen in training? {READING}"
)
draw, numbers = sweep_figure("samples_large", "n_samples", question=QUESTION)
