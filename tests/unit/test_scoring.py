"""Scoring: each seed by the panel, and nothing that outcomes share computed twice."""

from types import SimpleNamespace

import numpy as np

from sae_surgery import scoring
from sae_surgery.metrics.panel import DESCRIPTIONS, paper_panel
from sae_surgery.scoring import Scorer


def test_outcomes_are_scored_by_the_panel_and_shared_dictionaries_compared_once(monkeypatch):
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(2, 5, 6))
    true = rng.uniform(size=(2, 40, 6)) * (rng.uniform(size=(2, 40, 6)) < 0.5)
    codes = rng.normal(size=(3, 2, 40, 6))
    dictionaries = rng.normal(size=(2, 2, 5, 6))
    which = (0, 1, 0)
    data = SimpleNamespace(
        seeds=(0, 1),
        dictionary=lambda: truth,
        true_codes=lambda split, seed: true[seed],
        labels=lambda split, seed: true[seed, :, 0] > 0.3,
    )
    outcomes = SimpleNamespace(
        dense=lambda split, outcome, seed: codes[outcome, seed],
        lacks=lambda outcome, seed: False,
    )
    compared = []
    compare = scoring.dictionary_metrics
    monkeypatch.setattr(
        scoring, "dictionary_metrics", lambda *pair: compared.append(pair) or compare(*pair)
    )
    scorer = Scorer(data, "paper")
    for outcome in range(3):
        dictionary = dictionaries[which[outcome]]
        scores = scorer.score(outcomes, lambda seed, chosen=dictionary: chosen[seed], outcome)
        for seed in range(2):
            split = true[seed], codes[outcome, seed], true[seed, :, 0] > 0.3
            panel = paper_panel(*split, *split, dictionary[seed], truth[seed])
            assert {name: scores[name][seed] for name in DESCRIPTIONS} == panel
    assert len(compared) == 4
