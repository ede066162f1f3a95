"""Recovery against the number of active latents."""

from sae_surgery.drawing.sweep import READING, sweep_figure

INPUTS = ("sparsity",)
QUESTION = (
    "How many latents may be active at once before recovery fails, in distribution and on "
    f"combinations never seen in training? {READING}"
)
draw, numbers = sweep_figure("sparsity", "k", question=QUESTION)
