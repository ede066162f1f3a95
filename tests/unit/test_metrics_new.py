"""Metrics of the strict protocol beside those of the audit: values by hand, and what needs what."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from panels import seen
from sae_surgery import metrics
from sae_surgery.metrics import refitting, stability
from sae_surgery.metrics.base import NEEDS, Seen, Target
from sae_surgery.metrics.measures.sparseness import gini, pq_index

N_LATENTS, OBS_DIM = 8, 6


def sparse(seed, n_samples=200, n_latents=N_LATENTS):
    rng = np.random.default_rng(seed)
    shape = n_samples, n_latents
    return rng.uniform(0.1, 1, shape) * (rng.uniform(size=shape) < 0.3)


@pytest.fixture
def truth():
    atoms = np.random.default_rng(9).normal(size=(OBS_DIM, N_LATENTS))
    return atoms / np.linalg.norm(atoms, axis=0)


def scored(name, codes, truth=None, atoms=None, **further):
    """Score codes, the same in both splits, by one metric; the truth is `sparse(0)`."""
    true = sparse(0)
    given = [true, codes, true[:, 0] > 0.5] * 2
    return metrics.load(name).score(seen(*given, atoms, truth, **further))


def test_f1_of_latents_is_that_of_a_library_on_their_columns():
    rng = np.random.default_rng(1)
    true, order = sparse(0), rng.permutation(N_LATENTS)
    codes = (true + 0.3 * (rng.uniform(size=true.shape) < 0.2))[:, order]
    expected = f1_score(true != 0, codes[:, np.argsort(order)] != 0, average="macro")
    found = scored("latent_f1", codes)
    assert 0.5 < expected < 0.95
    assert found == {f"latent_f1_{split}": pytest.approx(expected) for split in ("id", "ood")}


def test_a_latent_without_a_column_counts_as_not_detected():
    half = scored("latent_f1", sparse(0)[:, : N_LATENTS // 2])
    assert half["latent_f1_id"] == pytest.approx(0.5)


def test_columns_of_latents_are_those_found_in_distribution():
    true_id, true_ood = sparse(0), sparse(1)
    turned = np.roll(true_ood, 1, axis=1)
    given = seen(true_id, true_id, true_id[:, 0] > 0.5, true_ood, turned, true_ood[:, 0] > 0.5)
    found = metrics.load("latent_f1").score(given)
    expected = f1_score(true_ood != 0, turned != 0, average="macro")
    assert found == {"latent_f1_id": 1, "latent_f1_ood": pytest.approx(expected)}


def test_codes_that_are_half_as_large_show_it(truth):
    true, nothing = sparse(0), np.zeros(len(truth))
    given = Seen(Target({"id": true @ truth.T}), {"id": true / 2}, truth, nothing)
    assert metrics.load("shrinkage").score(given) == {"norm_ratio_id": pytest.approx(0.5)}
    assert metrics.load("refitting").score(given) == {"refit_ratio_id": pytest.approx(2)}


@pytest.mark.parametrize("name", ["shrinkage", "refitting"])
def test_a_constant_that_the_decoder_adds_is_no_shrinkage(truth, name):
    true, bias = sparse(0), np.full(len(truth), 3.0)
    moved = {split: true @ truth.T + bias for split in ("id", "ood")}
    given = Seen(Target(moved), dict.fromkeys(moved, true), truth, bias)
    assert list(metrics.load(name).score(given).values()) == pytest.approx([1, 1])


def test_refitted_values_by_hand():
    # Atoms are axes: the refitted value is the observation's own entry.
    observations = np.array([[4.0, 0, 0], [0, 3, -1], [0, 0, 5], [0, 0, 0]])
    codes = np.array([[2.0, 0, 0], [0, 1, -2], [0, 0, 0], [0, 0, 0]])
    assert refitting.refit(observations, codes, np.eye(3)) == pytest.approx((2 + 1 + 2, 4 + 3 + 1))
    # The signs of the code count, and supports that can fit anything do not.
    assert refitting.refit(observations[:1], -codes[:1], np.eye(3)) == pytest.approx((2, -4))
    assert refitting.refit(observations, np.ones((4, 3)), np.eye(3)) == (0, 0)


@pytest.mark.parametrize("n_atoms", [2, 5, 100])
def test_indices_of_sparseness_have_known_ends(n_atoms):
    alone, equal = np.eye(n_atoms)[:1], np.ones((1, n_atoms))
    assert pq_index(alone) == pytest.approx(1 - n_atoms**-0.5)
    assert gini(alone) == pytest.approx(1 - 1 / n_atoms)
    assert pq_index(equal) == pytest.approx(0)
    assert gini(equal) == pytest.approx(0)


def test_indices_of_sparseness_by_hand():
    values = np.array([[1.0, -2, 3, 0]])
    assert pq_index(values) == pytest.approx(1 - 6 / 14**0.5 / 2)
    # Half the mean difference of two entries over the mean, an equivalent definition.
    apart = np.abs(np.subtract.outer(np.abs(values[0]), np.abs(values[0]))).mean()
    assert gini(values) == pytest.approx(apart / 2 / 1.5)


@pytest.mark.parametrize("index", [pq_index, gini])
def test_an_index_of_sparseness_ignores_scale_order_and_sign_and_grows_with_zeros(index):
    rng = np.random.default_rng(2)
    values = rng.normal(size=(20, 10))
    np.testing.assert_allclose(index(-3 * values[:, ::-1]), index(values))
    assert (index(values) > 0).all() and (index(values) < 1).all()
    wider = np.hstack([values, np.zeros_like(values)])
    assert (index(wider) > index(values)).all()


def test_sparseness_leaves_out_samples_without_any_code_and_has_no_value_without_samples():
    codes = sparse(0)
    with_silent = np.vstack([np.zeros_like(codes), codes])
    few = scored("sparseness", codes), scored("sparseness", with_silent)
    assert few[0] == pytest.approx(few[1])
    assert few[0]["gini_id"] == pytest.approx(gini(codes[codes.any(axis=1)]).mean())
    assert scored("sparseness", np.zeros_like(codes)) == {}


def test_stability_is_the_cosine_of_the_other_seeds_atoms(truth):
    order = np.random.default_rng(3).permutation(N_LATENTS)
    same = scored("stability", sparse(0), truth, truth, other_atoms=2 * truth[:, order])
    assert same["stability"] == pytest.approx(1)
    other = truth.copy()
    other[:, 0] = -other[:, 0]
    turned = scored("stability", sparse(0), truth, truth, other_atoms=other)
    # One atom is opposite: the others have 1, and it has −1 unless exchanging some is better.
    assert (N_LATENTS - 2) / N_LATENTS <= turned["stability"] < 1
    assert 0 < same["stability_random"] == turned["stability_random"] < 0.8


def test_stability_of_dictionaries_too_large_to_match_has_no_value(truth, monkeypatch):
    monkeypatch.setattr(stability, "MOST_ATOMS", N_LATENTS - 1)
    assert scored("stability", sparse(0), truth, truth, other_atoms=truth) == {}


def test_distinct_latents_by_hand():
    atoms = np.array([[1, 0.1, 0, 0], [-3, 0, 0, 0], [0, 2, 0.1, 0], [0, 0, 0.1, 5]]).T
    codes = {"id": sparse(0, n_latents=4)}
    given = Seen(Target(codes, truth=np.eye(4)), codes, atoms)
    assert metrics.load("distinct_latents").score(given) == {"distinct_latents": 3 / 4}


def test_explained_variance_by_hand():
    observations = {"id": np.array([[1.0, 0], [-1, 0], [0, 2], [0, -2]])}
    codes = {"id": np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])}
    found = metrics.load("reconstruction").score(Seen(Target(observations), codes, np.eye(2)))
    # Squares sum to 10, and those of what is left to 2.
    assert found == {"explained_variance_id": pytest.approx(0.8)}


def test_what_seen_has_is_what_it_was_given(truth):
    true = sparse(0)
    given = [true, true, true[:, 0] > 0.5] * 2
    assert seen(*given).has == ("codes", "labels", "ood")
    every = seen(*given, truth, truth, bias=truth[:, 0], other_atoms=truth, lam=0.1)
    assert set(every.has) == set(NEEDS)
    alone = Seen(Target({"id": true}), {"id": true})
    assert alone.has == ()


def test_on_observations_alone_only_what_needs_no_more_is_scored(truth):
    observations = sparse(0) @ truth.T
    given = Seen(Target({"id": observations}), {"id": sparse(0)}, truth)
    found = metrics.score("strict", given)
    defined = {name for name, value in found.items() if np.isfinite(value)}
    names = "dead_share", "explained_variance", "l0", "norm_ratio", "pq_index", "gini"
    assert defined == {name if name == "dead_share" else f"{name}_id" for name in names}
    assert set(found) == set(metrics.quantities("strict"))


def test_what_is_undefined_names_all_that_would_be_needed():
    reasons = metrics.undefined("strict", ("labels", "atoms"))
    assert reasons["acc_ood"] == "samples out of distribution"
    assert reasons["mcc_id"] == "true codes"
    assert reasons["acc_true_id"] == "true codes, samples out of distribution"
    assert reasons["dictionary_mean_cosine"] == "the true dictionary"
    assert reasons["stability"] == "a second seed with the same data"
    assert not {"explained_variance_ood", "gini_id", "dead_share"} & set(reasons)
    assert metrics.undefined("strict", tuple(NEEDS)) == {}


def test_a_metric_that_lacks_something_is_not_run(monkeypatch, truth):
    def run(self, seen):
        raise AssertionError("it was run")

    monkeypatch.setattr(type(metrics.load("stability")), "score", run)
    true = sparse(0)
    given = [true, true, true[:, 0] > 0.5] * 2
    assert np.isnan(metrics.score("strict", seen(*given, truth, truth))["stability"])
    with pytest.raises(AssertionError, match="it was run"):
        metrics.score("strict", seen(*given, truth, truth, other_atoms=truth))
