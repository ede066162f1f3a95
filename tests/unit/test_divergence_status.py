"""What is said of seeds that diverged, and scores that are not defined."""

import numpy as np
import pytest
import torch

from panels import seen
from sae_surgery import metrics
from sae_surgery.machine.divergence import Divergence, not_finite, said_of, status
from sae_surgery.methods.base import Model, Parameter, spread, take
from sae_surgery.record.manifest import Job
from sae_surgery.record.timeline import draw


def test_only_values_that_are_not_finite_count_however_large_the_others_are():
    values = torch.zeros(4, 3, 2)
    values[0], values[1, 2, 1], values[2, 0, 0] = 3e38, torch.nan, -torch.inf
    assert not_finite(values) == [1, 2]
    assert not_finite(values[:, 0, 0]) == [2]
    assert not_finite(torch.arange(3)) == []


def test_what_is_noted_first_stays():
    divergence = Divergence()
    divergence.check("at epoch 3", torch.tensor([1.0, torch.nan]))
    divergence.check("at epoch 4", torch.full((2,), torch.nan))
    again = Divergence()
    again.load_state_dict(divergence.state_dict())
    assert again.when == {1: "at epoch 3", 0: "at epoch 4"}
    assert again.sound(3) == [2]


def test_a_status_names_seeds_and_can_be_asked_for_some():
    assert status({}, (4, 5)) == "ok"
    text = status({1: "at epoch 1", 0: "in training"}, (4, 15))
    assert text == "diverged: seed 4 in training; seed 15 at epoch 1"
    assert said_of(text, (15, 1)) == ["seed 15 at epoch 1"]
    assert said_of("ok", (4,)) == said_of("skipped: too large", (4,)) == []


def test_a_model_of_some_seeds_becomes_one_of_all():
    values = torch.arange(4.0).reshape(2, 2)
    model = Model(
        weights=Parameter(values, ("atom",), "weights"),
        n_rounds=Parameter(torch.tensor([3, 4]), (), "rounds", "not counted"),
    )
    whole = model.among([0, 2], 3, {1: "at round 2"})
    np.testing.assert_array_equal(whole.tensor("weights")[[0, 2]], values)
    assert whole.tensor("weights")[1].isnan().all()
    assert whole["n_rounds"].nan_means == "not counted; training diverged"
    assert whole.diverged == {1: "at round 2"}
    np.testing.assert_array_equal(whole.of_seeds([0, 2]).tensor("weights"), values)
    assert model.among([0, 1], 2, {}) is model
    assert not model.of_seeds([]).among([], 2, {0: "at round 2", 1: "at round 2"})
    assert take(values, [0, 1]) is values
    assert spread(values, [0, 1], 2, 0.0) is values


def parts(n_samples, labels):
    rng = np.random.default_rng(0)
    true = rng.uniform(size=(n_samples, 6)) * (rng.uniform(size=(n_samples, 6)) < 0.6)
    codes = true + 0.1 * rng.normal(size=true.shape)
    return {
        f"{name}_{split}": values
        for split in ("id", "ood")
        for name, values in (("true", true), ("codes", codes), ("labels", labels))
    }


def scores(given):
    truth = np.random.default_rng(1).normal(size=(4, 6))
    for protocol in metrics.PROTOCOLS:
        yield metrics.score(protocol, seen(**given, dictionary=truth, truth=truth))


def names_of(kind):
    return [f"{kind}_{split}" for split in ("id", "ood")]


@pytest.mark.parametrize("label", [False, True])
def test_of_one_class_nothing_that_labels_decide_is_defined(label):
    for panel in scores(parts(60, np.full(60, label))):
        for name in (*names_of("auc"), *names_of("acc")):
            assert np.isnan(panel[name]), name
        assert all(np.isfinite(panel[name]) for name in names_of("mcc"))


def test_one_class_out_of_distribution_leaves_what_is_defined():
    given = parts(60, np.arange(60) % 3 == 0) | {"labels_ood": np.ones(60, bool)}
    for panel in scores(given):
        assert np.isnan(panel["auc_ood"])
        assert all(np.isfinite(panel[name]) for name in ("auc_id", *names_of("acc")))


@pytest.mark.parametrize("n_samples", [1, 2])
@pytest.mark.filterwarnings("ignore")
def test_of_two_samples_no_correlation_is_defined(n_samples):
    for panel in scores(parts(n_samples, np.arange(n_samples) > 0)):
        assert all(np.isnan(panel[name]) for name in names_of("mcc"))


def test_where_no_latent_varies_scores_are_missing_and_nothing_fails():
    given = parts(60, np.arange(60) % 3 == 0)
    given |= {"true_id": np.ones((60, 6)), "true_ood": np.ones((60, 6))}
    for panel in scores(given):
        assert {*names_of("auc"), *names_of("acc")} <= set(panel)
        assert all(np.isnan(panel[name]) for name in names_of("mcc"))


def test_a_timeline_shows_a_step_that_it_has_no_colour_for():
    job = Job("fit a", "brand_new", 0.0, 60.0, "here", None, 1, None, (), ())
    (legend,) = draw([job]).legends
    assert "brand_new" in [text.get_text() for text in legend.get_texts()]
