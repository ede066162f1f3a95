"""Recovery against the noise on the observations."""

from sae_surgery.drawing.sweep import READING, sweep_figure

INPUTS = ("noisy",)
QUESTION = f"How much noise on the observations does recovery bear? {READING}"
RECOVERED = ("mcc_id", "mcc_ood")
draw, numbers = sweep_figure(
    "noisy",
    "snr_db",
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
