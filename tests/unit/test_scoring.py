"""Scoring: each seed by the panel, and nothing that outcomes share computed twice."""

import weakref
from types import SimpleNamespace

import numpy as np
import pytest

from panels import seen
from sae_surgery import metrics
from sae_surgery.tables import scoring
from sae_surgery.tables.scoring import Scored, Scorer


def test_outcomes_are_scored_by_the_metrics_and_shared_dictionaries_compared_once(monkeypatch):
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(2, 5, 6))
    true = rng.uniform(size=(2, 40, 6)) * (rng.uniform(size=(2, 40, 6)) < 0.5)
    codes = rng.normal(size=(3, 2, 40, 6))
    dictionaries = rng.normal(size=(2, 2, 5, 6))
    which = (0, 1, 0)
    data = SimpleNamespace(
        cell=SimpleNamespace(name="made up", signed=False),
        seeds=(0, 1),
        knows=("dictionary", "codes", "labels"),
        scored=("val", "ood"),
        keeps_observations=False,
        dictionary=lambda seed: truth[seed],
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
    scored = [
        Scored(outcomes, dictionaries[which[outcome]].__getitem__, place=(outcome,))
        for outcome in range(3)
    ]
    for outcome, scores in enumerate(Scorer(data, "paper").score(scored)):
        for seed in range(2):
            split = true[seed], codes[outcome, seed], true[seed, :, 0] > 0.3
            dictionary = dictionaries[which[outcome]][seed]
            expected = metrics.score("paper", seen(*split, *split, dictionary, truth[seed]))
            assert {name: values[seed] for name, values in scores.items()} == expected
    assert len(compared) == 4


@pytest.mark.parametrize("protocol", ["paper", "strict"])
def test_true_codes_are_made_once_a_seed_and_gone_before_the_next(protocol):
    rng = np.random.default_rng(1)
    true = rng.uniform(size=(3, 40, 6)) * (rng.uniform(size=(3, 40, 6)) < 0.5)
    made = []

    def true_codes(split, seed):
        assert all(earlier == seed or array() is None for earlier, array in made)
        codes = true[seed].copy()
        made.append((seed, weakref.ref(codes)))
        return codes

    data = SimpleNamespace(
        seeds=(0, 1, 2),
        cell=SimpleNamespace(name="cell", n_ood=40, signed=False),
        knows=("dictionary", "codes", "labels"),
        scored=("val", "ood"),
        keeps_observations=False,
        dictionary=lambda seed: rng.normal(size=(5, 6)),
        true_codes=true_codes,
        labels=lambda split, seed: true[seed, :, 0] > 0.3,
    )
    codes = SimpleNamespace(dense=lambda split, seed: true[seed].copy(), lacks=lambda seed: False)
    scores = Scorer(data, protocol).score([Scored(codes, None)] * 4)
    assert [seed for seed, _ in made] == [0, 0, 1, 1, 2, 2]
    assert all(each["mcc_id"] == pytest.approx([1, 1, 1]) for each in scores)
