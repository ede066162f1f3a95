"""Recovery of latents of either sign."""

from sae_surgery.drawing.sweep import READING, sweep_figure

INPUTS = ("signed",)
QUESTION = f"Where latents take either sign, which methods recover them? {READING}"
RECOVERED = ("mcc_id", "mcc_ood")
draw, numbers = sweep_figure(
    "signed",
    "n_latents",
    RECOVERED,
    (
        *RECOVERED,
        "latent_f1_id",
        "latent_f1_ood",
        "explained_variance_id",
        "explained_variance_ood",
    ),
    question=QUESTION,
)
