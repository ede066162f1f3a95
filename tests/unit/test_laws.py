"""Laws that synthetic problems are composed of."""

import numpy as np
import pytest

from sae_surgery.problems.composed import Composed
from sae_surgery.problems.laws import dictionaries, magnitudes, noise, supports

N, K, SAMPLES = 60, 6, 20_000
NO_TREES = np.full(N, -1)


@pytest.fixture
def stream():
    return np.random.default_rng(0)


def standard_error(rate):
    return np.sqrt(rate * (1 - rate) / SAMPLES)


@pytest.mark.parametrize("shape", ["uniform", "linear", "zipf"])
def test_rates_sum_to_k_fall_with_rank_and_are_cut(shape):
    for k in (1, 6, 29):
        rate = supports.rates(shape, N, k, 2.0)
        assert rate.sum() == pytest.approx(k)
        assert (np.diff(rate) <= 1e-12).all()
        assert 0 < rate.min() <= rate.max() <= supports.MOST_RATE + 1e-12


def test_more_than_half_cannot_be_active():
    with pytest.raises(ValueError, match="n_latents"):
        supports.rates("uniform", N, N / 2 + 1, 1.0)


def test_fixed_supports_have_k_and_frequent_latents_more_often(stream):
    rate = supports.rates("zipf", N, K, 1.0)
    support = supports.fixed(rate, K, SAMPLES, stream)
    assert (support.sum(axis=1) == K).all()
    assert (np.diff(support.mean(axis=0)[[0, 4, 12, 40]]) < 0).all()


def test_independent_and_correlated_latents_have_their_rates(stream):
    rate = supports.rates("zipf", N, K, 0.5)
    factor = supports.copula_factor(N, 3, 0.6, stream)
    for support in (
        supports.independent(rate, SAMPLES, stream),
        supports.correlated(rate, factor, SAMPLES, stream),
    ):
        assert (np.abs(support.mean(axis=0) - rate) < 5 * standard_error(rate)).all()


def test_the_copula_correlates_as_its_factor_says(stream):
    rate = np.full(N, 0.3)
    factor = supports.copula_factor(N, 2, 0.8, stream)
    support = supports.correlated(rate, factor, SAMPLES, stream)
    wanted = (factor @ factor.T)[np.triu_indices(N, 1)]
    found = np.corrcoef(support.T)[np.triu_indices(N, 1)]
    assert np.corrcoef(wanted, found)[0, 1] > 0.98
    assert (
        np.abs(
            np.corrcoef(supports.independent(rate, SAMPLES, stream).T)[np.triu_indices(N, 1)]
        ).max()
        < 0.05
    )


def test_children_are_active_with_their_parent_only_and_one_at_a_time(stream):
    parent = supports.parents(N, 5, 3, 2)
    assert (parent[:5] == -1).all()
    assert (parent[5:20] == np.repeat(np.arange(5), 3)).all()
    rate = supports.conditional(supports.rates("zipf", N, K, 0.5), parent)
    for exclusive in (False, True):
        support = supports.independent(rate, SAMPLES, stream)
        supports.prune(support, parent, rate, exclusive, stream)
        children = np.flatnonzero(parent >= 0)
        assert (support[:, children] <= support[:, parent[children]]).all()
        most = max(support[:, parent == above].sum(axis=1).max() for above in range(5))
        assert most == (1 if exclusive else 3)


def test_exclusive_children_keep_their_rates_where_these_fit(stream):
    parent = supports.parents(12, 3, 3, 1)
    marginal = np.concatenate([np.full(3, 0.4), np.full(9, 0.1)])
    rate = supports.conditional(marginal, parent)
    support = supports.independent(rate, SAMPLES, stream)
    supports.prune(support, parent, rate, True, stream)
    assert (np.abs(support.mean(axis=0) - marginal) < 5 * standard_error(marginal)).all()


def test_pairs_are_disjoint_and_no_relatives(stream):
    parent = supports.parents(N, 5, 3, 2)
    pairs = supports.held_out_pairs(np.full(N, 0.1), parent, 20, stream)
    assert len(np.unique(pairs)) == 40
    roots = np.arange(N)
    for latent in range(N):
        if parent[latent] >= 0:
            roots[latent] = roots[parent[latent]]
    assert (roots[pairs[:, 0]] != roots[pairs[:, 1]]).all()
    with pytest.raises(ValueError, match="held_out"):
        supports.held_out_pairs(np.full(N, 0.1), parent, N, stream)


@pytest.mark.parametrize("keep", [False, True])
def test_separated_samples_have_no_held_out_pair(stream, keep):
    support = supports.fixed(np.full(N, 0.1), K, 2000, stream)
    pairs = supports.held_out_pairs(np.full(N, 0.1), NO_TREES, 30, stream)
    supports.separate(support, pairs, keep, stream)
    assert not support[:, pairs].all(axis=2).any()
    assert (support.sum(axis=1) == K).all() == keep


def test_united_samples_have_a_pair_and_grow_little(stream):
    parent = supports.parents(N, 5, 3, 2)
    rate = supports.conditional(supports.rates("zipf", N, K, 0.5), parent)
    pairs = supports.held_out_pairs(rate, parent, 10, stream)
    support = supports.independent(rate, 2000, stream)
    supports.prune(support, parent, rate, True, stream)
    before = support.sum(axis=1)
    supports.unite(support, pairs, parent, True, stream)
    assert support[:, pairs].all(axis=2).any(axis=1).all()
    children = np.flatnonzero(parent >= 0)
    assert (support[:, children] <= support[:, parent[children]]).all()
    assert all(support[:, parent == above].sum(axis=1).max() <= 1 for above in range(5))
    # Two latents with their ancestors are six at most.
    assert (support.sum(axis=1) <= np.maximum(before, 6)).all()


@pytest.mark.parametrize("law", magnitudes.MAGNITUDES)
def test_magnitudes_are_positive_with_a_mean_of_one_half(stream, law):
    values = magnitudes.draw_magnitudes(law, 100_000, stream)
    assert values.min() >= 0
    assert values.mean() == pytest.approx(0.5, abs=0.01)


def test_columns_are_driven_apart_to_the_wanted_coherence(stream):
    drawn = dictionaries.unit_columns(20, 40, stream)
    apart = dictionaries.drive_apart(drawn, 0.4)
    assert dictionaries.coherence(drawn) > 0.4 >= dictionaries.coherence(apart)
    np.testing.assert_allclose(np.linalg.norm(apart, axis=0), 1)
    bound = dictionaries.least_coherence(20, 40)
    with pytest.raises(ValueError, match=f"{bound:.3f}"):
        dictionaries.drive_apart(drawn, 0.5 * bound)


@pytest.mark.parametrize("snr_db", [0.0, 20.0, 40.0])
def test_noise_has_the_wanted_ratio(stream, snr_db):
    signal = stream.uniform(0, 3, (2000, 30))
    noisy = noise.add_noise(signal, noise.noise_scale(signal, snr_db), stream)
    found = 10 * np.log10((signal**2).mean() / ((noisy - signal) ** 2).mean())
    assert found == pytest.approx(snr_db, abs=0.1)


@pytest.mark.parametrize("support", ["independent", "fixed", "correlated"])
def test_a_composed_problem_holds_its_pairs_out(support):
    problem = Composed.at({"n_latents": N, "k": K, "n_samples": 1000, "support": support})
    drawn = problem.draw(0)
    active = np.zeros((1500, N), bool)
    rows, places = np.nonzero(drawn.support >= 0)
    active[rows, drawn.support[rows, places]] = True
    together = active[:1000].T.astype(int) @ active[:1000]
    together_ood = active[1000:].T.astype(int) @ active[1000:]
    never = (together == 0) & (together_ood > 0)
    assert np.triu(never, 1).sum() >= problem.n_pairs
    assert (active[1000:, :, None] & active[1000:, None, :] & never).any(axis=(1, 2)).all()
    assert active[:1000].sum(axis=1).mean() == pytest.approx(K, rel=0.1)
    assert active[1000:].sum(axis=1).mean() == pytest.approx(K, rel=0.15)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("support", "dense"),
        ("rates", "pareto"),
        ("magnitudes", "cauchy"),
        ("held_out", 0.6),
        ("held_out", 0.0),
        ("coherence", 1.5),
        ("norm_ratio", 0.5),
        ("correlation", -0.1),
    ],
)
def test_a_choice_that_does_not_exist_is_refused_by_name(setting, value):
    with pytest.raises(ValueError, match=setting):
        Composed.at({"n_latents": N, "k": K, "n_samples": 100, setting: value})
