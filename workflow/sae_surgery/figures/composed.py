"""Recovery on a composed law: Zipf rates, trees with exclusive children, noise."""

from sae_surgery.drawing.sweep import READING, sweep_figure

INPUTS = ("composed",)
QUESTION = (
    "Where latents fire at unequal rates, in trees, under noise, which methods recover them, also "
    f"in pairs that training never shows? {READING}"
)
RECOVERED = ("mcc_id", "mcc_ood")
draw, numbers = sweep_figure(
    "composed",
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
