"""The strict protocol: perfect codes score 1, noise scores chance, and padding never enters."""

import numpy as np
import pytest

from panels import seen
from sae_surgery import metrics
from sae_surgery.metrics.measures.auc import auc_with_interval, column_auc
from sae_surgery.metrics.measures.bootstrap import interval
from sae_surgery.metrics.measures.mcc import mcc_id
from sae_surgery.metrics.measures.optimality import largest_relative_gap
from sae_surgery.metrics.measures.pairing import mean_correlation, pair, recovery
from sae_surgery.metrics.measures.probe import accuracy

N_SAMPLES, N_LATENTS, OBS_DIM = 2000, 20, 12
CELLS = {"id": 0, "ood": 1}
QUANTITIES = metrics.quantities("strict")


@pytest.fixture(scope="module")
def truth():
    return np.random.default_rng(9).normal(size=(OBS_DIM, N_LATENTS))


@pytest.fixture(scope="module")
def targets(truth):
    parts = {}
    for split, seed in CELLS.items():
        true = sparse(seed)
        parts |= {f"true_{split}": true, f"labels_{split}": true[:, 0] > 0.5}
    return parts | {"truth": truth}


def sparse(seed, n_samples=N_SAMPLES, n_latents=N_LATENTS):
    rng = np.random.default_rng(seed)
    shape = n_samples, n_latents
    return rng.uniform(0.01, 1, shape) * (rng.uniform(size=shape) < 0.3)


def measure(targets, codes_id, codes_ood, dictionary=None, **further):
    codes = {"codes_id": codes_id, "codes_ood": codes_ood}
    return metrics.score("strict", seen(**codes, **targets, dictionary=dictionary, **further))


def mcc(true, codes, pairing=None):
    sums, n_active = recovery(true, codes, pairing or pair(true, codes))
    return mean_correlation(sums.sum(0), n_active)


def test_a_permuted_and_scaled_copy_is_perfect(targets, truth):
    rng = np.random.default_rng(2)
    order, scale = rng.permutation(N_LATENTS), rng.uniform(0.5, 2, N_LATENTS)
    codes = [targets[f"true_{split}"][:, order] * scale for split in CELLS]
    panel = measure(targets, *codes, dictionary=truth[:, order] / scale)
    for name in ("mcc_id", "mcc_ood", "mcc_ood_rematched"):
        assert panel[name] == pytest.approx(1)
    for split in CELLS:
        assert panel[f"auc_{split}"] > 0.99
        assert panel[f"support_f1_{split}"] > 0.99  # 0 where nothing is active
        assert panel[f"detector_precision_{split}"] == panel[f"detector_recall_{split}"] == 1
        assert panel[f"explained_variance_{split}"] == pytest.approx(1)
        assert panel[f"acc_{split}"] == pytest.approx(panel[f"acc_true_{split}"], abs=0.02)
        assert panel[f"acc_matched_{split}"] > 0.98
    assert panel["dictionary_mean_signed_cosine"] == pytest.approx(1)
    assert panel["dead_share"] == 0


def test_an_opposite_atom_is_right_if_its_codes_are_opposite_too(targets, truth):
    signs = np.where(np.arange(N_LATENTS) % 2, -1, 1)
    codes = [targets[f"true_{split}"] for split in CELLS]
    turned = measure(targets, *(each * signs for each in codes), dictionary=truth * signs)
    wrong = measure(targets, *codes, dictionary=truth * signs)
    assert turned["dictionary_mean_signed_cosine"] == pytest.approx(1)
    assert turned["mcc_ood"] == pytest.approx(1)
    assert wrong["dictionary_mean_signed_cosine"] < 0.8


def test_every_metric_is_described_and_a_plain_number(targets, truth):
    further = {"lam": 0.1, "bias": np.zeros(len(truth)), "other_atoms": truth}
    panel = measure(targets, targets["true_id"], targets["true_ood"], truth, **further)
    assert set(panel) == set(QUANTITIES)
    assert all(type(value) is float and np.isfinite(value) for value in panel.values())
    texts = [quantity.long_name for quantity in QUANTITIES.values()]
    assert len(set(texts)) == len(texts)


def test_without_a_dictionary_only_what_describes_it_is_missing(targets):
    panel = measure(targets, targets["true_id"], targets["true_ood"])
    missing = {name for name, value in panel.items() if np.isnan(value)}
    described = "dictionary_", "explained_variance_", "largest_gap"
    described += "norm_ratio_", "refit_ratio_", "distinct_latents", "stability"
    assert missing == {name for name in panel if name.startswith(described)}


def test_noise_recovers_what_chance_gives(targets):
    noise = [np.random.default_rng(seed).normal(size=(N_SAMPLES, N_LATENTS)) for seed in (3, 4)]
    panel = measure(targets, *noise)
    # A correlation of noise is about N(0, 1 / samples), and pairs are the best of n columns.
    best = np.sqrt(2 * np.log(N_LATENTS) / N_SAMPLES)
    assert 0.4 * best < panel["mcc_id"] < 1.2 * best
    # What was chosen on other samples is no better than any column.
    assert abs(panel["mcc_ood"]) < 4 / np.sqrt(N_SAMPLES * N_LATENTS)
    assert panel["auc_ood"] == pytest.approx(0.5, abs=0.06)


def test_padding_never_enters(targets):
    true = targets["true_id"]
    half = true[:, : N_LATENTS // 2]
    assert mcc(true, half) == pytest.approx(0.5)
    assert mcc_id(true, half) > 0.5
    with_dead = np.hstack([half, np.zeros_like(half)])
    assert mcc(true, with_dead) == pytest.approx(0.5)
    silent = true.copy()
    silent[:, 5:] = 0
    assert mcc(silent, true) == pytest.approx(1)
    assert mcc_id(silent, true) < 0.5


def test_the_pairs_of_id_are_kept_for_ood(targets):
    true_id, true_ood = targets["true_id"], targets["true_ood"]
    swapped = true_ood[:, np.roll(np.arange(N_LATENTS), 1)]
    panel = measure(targets, true_id, swapped)
    assert panel["mcc_ood_rematched"] == pytest.approx(1)
    assert abs(panel["mcc_ood"]) < 0.05
    turned = measure(targets, true_id, -true_ood)
    assert turned["mcc_ood"] == pytest.approx(-1)
    assert turned["auc_ood"] < 0.01


def test_all_columns_take_part_out_of_distribution(targets):
    true_id, true_ood = targets["true_id"], targets["true_ood"]
    wide = np.random.default_rng(5).normal(0, 10, (N_SAMPLES, N_LATENTS))
    panel = measure(targets, np.hstack([wide, true_id]), np.hstack([wide[::-1], true_ood]))
    assert panel["mcc_ood"] == pytest.approx(1)


def test_accuracy_is_held_out():
    rng = np.random.default_rng(6)
    true = sparse(6, 400)
    true[:, 0] = rng.uniform(0, 1, 400)
    labels, noise = true[:, 0] > 0.5, rng.normal(size=(400, 100))
    both = {"true_id": true, "labels_id": labels, "true_ood": true, "labels_ood": labels}
    panel = measure(both | {"truth": np.eye(N_LATENTS)}, noise, noise)
    assert accuracy(noise, labels, noise, labels).acc_id > 0.7
    assert panel["acc_id"] == pytest.approx(0.5, abs=0.1)
    assert panel["acc_id_low"] < 0.55
    assert panel["acc_base_id"] == pytest.approx(0.5, abs=0.1)


def test_detectors_and_dead_columns_by_hand(targets):
    true_id, true_ood = targets["true_id"], targets["true_ood"]
    codes = true_id.copy()
    codes[:, 3] = 0
    codes[::2, 7] = 0
    panel = measure(targets, codes, true_ood)
    assert panel["dead_share"] == pytest.approx(1 / N_LATENTS)
    kept = (true_id[1::2, 7] != 0).sum() / (true_id[:, 7] != 0).sum()
    assert panel["detector_recall_id"] == pytest.approx((N_LATENTS - 2 + kept) / N_LATENTS)
    assert panel["detector_precision_id"] == pytest.approx((N_LATENTS - 1) / N_LATENTS)
    assert panel["least_uses_id"] == (true_id != 0).sum(0).min()


def test_the_auc_of_a_score_is_that_of_its_column_and_within_its_interval():
    rng = np.random.default_rng(7)
    labels = rng.uniform(size=700) < 0.3
    scores = np.round(rng.normal(size=700) + labels, 1)
    auc, low, high = auc_with_interval(scores, labels)
    assert auc == pytest.approx(column_auc(scores[:, None], labels)[0])
    assert low < auc < high < low + 0.15
    assert np.isnan(auc_with_interval(scores, np.ones(700, bool))).all()


def test_an_interval_over_samples_holds_its_value_and_shrinks_with_their_number():
    widths = []
    for n_samples in (500, 8000):
        true = sparse(8, n_samples)
        codes = true + np.random.default_rng(8).normal(size=true.shape)
        sums, n_active = recovery(true, codes, pair(true, codes))
        low, high = interval(sums, lambda each, n=n_active: mean_correlation(each, n))
        assert low < mcc(true, codes) < high
        widths.append(high - low)
    assert 2.5 < widths[0] / widths[1] < 6.5


def test_the_gap_is_nothing_at_the_optimum_and_bounds_the_loss_elsewhere():
    # With orthogonal atoms the minimum is known: correlations less the penalty, if positive.
    rng = np.random.default_rng(10)
    dictionary = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    observations, lam = rng.normal(size=(50, 6)), 0.3

    def objective(codes):
        residual = observations - codes @ dictionary.T
        return np.square(residual).sum(1) / 2 + lam * codes.sum(1)

    best = np.maximum(observations @ dictionary - lam, 0)
    assert largest_relative_gap(observations, dictionary, best, lam) < 1e-12
    worse = best + 0.1 * rng.uniform(size=best.shape)
    excess = (objective(worse) - objective(best)) / objective(worse)
    assert largest_relative_gap(observations, dictionary, worse, lam) >= excess.max() > 0
    assert largest_relative_gap(np.zeros((1, 6)), dictionary, np.zeros((1, 6)), lam) == 0
