"""Evaluation: all metrics of one method on one cell for one seed.

Ours computes the whole panel, support and dictionary metrics included; the authors' form only MCC,
accuracy and AUC, by which both are compared.
"""

from collections.abc import Iterator
from functools import partial

import torch
from sae_surgery.metrics.panel import paper_panel

from benchmarks import authors
from benchmarks.harness import Comparison, Contestant, Readings
from benchmarks.problems import LAM, draw, near
from sae_surgery.inference.fista import fista

TARGET = {1000: 20.0}
SECONDS_AT_10_000 = 10.0
AGREEMENT = 1e-3
"""Largest difference of a metric; one sample of 2500 is 0.0004 of the probe's accuracy."""


def comparisons(quick: bool) -> Iterator[Comparison]:
    """Yield n = 100 and 1000, and ours alone at 10 000."""
    for n_latents in (100, 1000) if quick else (100, 1000, 10_000):
        yield _comparison(n_latents)


def _comparison(n_latents: int) -> Comparison:
    drawn = draw(n_latents)
    cell = drawn.cell
    dictionary = near(drawn.dictionary, cosine=0.9)
    atoms = torch.from_numpy(dictionary).float()[None]
    codes = {s: fista(drawn.tensor(s), atoms, LAM, 30)[0].numpy() for s in ("val", "ood")}
    arguments = {
        "true_id": drawn.true_codes("val"),
        "codes_id": codes["val"],
        "labels_id": drawn.labels("val"),
        "true_ood": drawn.true_codes("ood"),
        "codes_ood": codes["ood"],
        "labels_ood": drawn.labels("ood"),
    }
    ours = partial(paper_panel, **arguments, dictionary=dictionary, truth=drawn.dictionary)
    published = partial(authors.evaluate, **arguments)
    reference = published() if n_latents < 10_000 else {}

    def difference(scores: dict[str, float]) -> dict[str, float]:
        apart = (abs(scores[name] - value) for name, value in reference.items())
        return {"largest difference of a metric": max(apart, default=0.0)}

    if n_latents < 10_000:
        beside = Contestant(
            "published",
            published,
            tolerance=AGREEMENT,
            target=TARGET.get(n_latents, float("nan")),
        )
    else:
        seconds = Readings({"": SECONDS_AT_10_000}, None)
        beside = Contestant("bound", lambda: seconds, target=1, note="what is asked for, not run")
    contestants = [Contestant("ours", ours, tolerance=AGREEMENT), beside]
    size = f"n = {n_latents}, {cell.n_val} + {cell.n_ood} samples"
    return Comparison("evaluation", size, n_latents, contestants, difference)
