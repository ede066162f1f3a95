"""Recovery on a composed law: Zipf rates, trees with exclusive children, noise."""

from sae_surgery.drawing.sweep import READING, RECOVERED, RECOVERY, sweep_figure

INPUTS = ("composed",)
QUESTION = (
    "Where latents fire at unequal rates, in trees, under noise, which methods recover them, also "
    f"in pairs that training never shows? {READING}"
)
draw, numbers = sweep_figure("composed", "n_latents", RECOVERED, RECOVERY, question=QUESTION)
