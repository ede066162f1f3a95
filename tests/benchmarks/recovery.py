"""`python -m benchmarks.recovery`: how well `dl_scaled` recovers a dictionary, and what it costs.

A run prints a row of the table in docs/dictionary_learning.md. Noise, if asked for, is white and in
all observations alike: those learned from, and those whose codes are compared.
"""

import argparse
import dataclasses
import math
import resource
import sys
import time
from collections.abc import Sequence

import numpy as np
import torch

from benchmarks.problems import Drawn, draw
from sae_surgery.inference.solver import LassoSettings, infer
from sae_surgery.learning.dictionary_learning import random_dictionary
from sae_surgery.learning.incremental import (
    IncrementalDictionary,
    IncrementalLearning,
    learn_incrementally,
)
from sae_surgery.machine import devices
from sae_surgery.metrics.measures.dictionary import dictionary_metrics
from sae_surgery.metrics.measures.matching import correlation, match
from sae_surgery.problems.laws.fresh import LEAST_USES
from sae_surgery.problems.laws.sampling import dense_codes


def main(arguments: Sequence[str] | None = None) -> None:
    """Learn one dictionary and print what came of it."""
    options = _parser().parse_args(arguments)
    drawn = draw(options.latents, 2 * options.samples, options.seed)
    drawn = _noisy(drawn, options.snr, options.seed)
    settings = IncrementalLearning(max_rounds=options.rounds)
    device = devices.choose(options.device)
    wall, cpu = time.perf_counter(), time.process_time()
    learned = _learn(drawn, settings, options.seed, device)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    dictionary = learned.dictionary[0].double().numpy()
    closeness = dictionary_metrics(dictionary, drawn.dictionary)
    values = {
        "n": options.latents,
        "samples": options.samples,
        "SNR/dB": options.snr,
        "seed": options.seed,
        "signed cosine": f"{closeness.mean_signed_cosine:.3f}",
        "above 0.9": f"{closeness.share_above_090:.3f}",
        "MCC ood": f"{_kept_mcc(drawn, learned):.3f}",
        "rounds": int(learned.n_rounds),
        "converged": bool(learned.converged),
        "wall/s": f"{wall:.0f}",
        "CPU/s": f"{cpu:.0f}",
        "peak/GB": f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f}",
        "threads": torch.get_num_threads(),
        "device": device.type,
    }
    print("|", " | ".join(values), "|", file=sys.stderr)
    print("|", " | ".join(map(str, values.values())), "|")


def _learn(
    drawn: Drawn, settings: IncrementalLearning, seed: int, device: torch.device
) -> IncrementalDictionary:
    observations = drawn.tensor("train").to(device)
    initial = random_dictionary(drawn.cell.obs_dim, drawn.cell.n_latents, (seed,)).to(device)
    rounds = (settings.max_rounds,)
    [(_, learned)] = learn_incrementally(observations, initial, (seed,), settings, rounds)
    return IncrementalDictionary(*(part.cpu() for part in learned))


def _noisy(drawn: Drawn, snr: float, seed: int) -> Drawn:
    """Add noise to the observations at a signal-to-noise ratio in decibels."""
    clean = drawn.observations
    scale = math.sqrt(np.square(clean).mean() * 10 ** (-snr / 10))
    noise = scale * np.random.default_rng(seed).standard_normal(clean.shape)
    return dataclasses.replace(drawn, observations=clean + noise)


def _kept_mcc(drawn: Drawn, learned: IncrementalDictionary) -> float:
    """Return the mean correlation of latents out of distribution with their partners in it."""
    similarity = correlation(*_codes(drawn, learned, "val"))
    latents, atoms = match(np.maximum(similarity, 0))
    true, codes = _codes(drawn, learned, "ood")
    active = true.var(axis=0)[latents] > 0
    return float(correlation(true, codes)[latents, atoms][active].mean())


def _codes(
    drawn: Drawn, learned: IncrementalDictionary, split: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return true and inferred codes (sample, atom) of samples with enough uses of each latent."""
    n_compared = LEAST_USES * drawn.cell.n_latents // drawn.cell.k
    observations = drawn.tensor(split)[:, :n_compared]
    settings = LassoSettings(lam=float(learned.penalty), solver="exact")
    inferred = infer(observations, learned.dictionary, settings)
    support, magnitude = (
        part[drawn.rows(split)][:n_compared] for part in (drawn.support, drawn.magnitude)
    )
    true = dense_codes(support, magnitude, drawn.cell.n_latents)
    return true, inferred.codes[0].numpy()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.recovery", description=__doc__)
    parser.add_argument("--latents", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=10_000, help="to learn from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--snr", type=float, default=math.inf, help="decibels; default: no noise")
    parser.add_argument("--device", choices=devices.CHOICES, default="cpu", help="that learns")
    parser.add_argument("--rounds", type=int, default=IncrementalLearning().max_rounds)
    return parser


if __name__ == "__main__":
    main()
