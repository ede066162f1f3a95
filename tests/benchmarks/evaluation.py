"""Evaluation: all metrics of one method on one cell for one seed.

Ours computes the whole published protocol, support and dictionary metrics included; the authors'
form only MCC, accuracy and AUC, by which both are compared.
"""

from collections.abc import Iterator
from functools import partial

import torch

from benchmarks import authors
from benchmarks.harness import Comparison, Contestant, Readings
from benchmarks.problems import LAM, draw, near
from sae_surgery import metrics
from sae_surgery.inference.fista import fista
from sae_surgery.metrics.base import Seen, Target
from sae_surgery.tables.scoring import SPLITS

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
    true = {name: drawn.true_codes(split) for name, split in SPLITS.items()}
    labels = {name: drawn.labels(split) for name, split in SPLITS.items()}
    codes = {
        name: fista(drawn.tensor(split), atoms, LAM, 30)[0].numpy()
        for name, split in SPLITS.items()
    }
    observations = {name: each @ drawn.dictionary.T for name, each in true.items()}
    target = Target(observations, true, labels, drawn.dictionary)
    arguments = {
        f"{what}_{name}": each
        for what, parts in (("true", true), ("codes", codes), ("labels", labels))
        for name, each in parts.items()
    }

    def ours() -> dict[str, float]:
        # Anew each time: what is seen remembers pairs.
        return metrics.score("paper", Seen(target, codes, dictionary))

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
