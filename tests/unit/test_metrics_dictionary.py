"""Dictionary metrics: what may change an atom without changing the score, and what may not."""

import numpy as np
import pytest

from sae_surgery.metrics.measures.dictionary import dictionary_metrics


@pytest.fixture
def truth() -> np.ndarray:
    columns = np.random.default_rng(0).normal(size=(8, 12))
    return columns / np.linalg.norm(columns, axis=0)


@pytest.fixture
def learned(truth) -> np.ndarray:
    return truth + 0.3 * np.random.default_rng(1).normal(size=truth.shape)


def scores(result) -> list[float]:
    return list(result[:-2])


def test_the_truth_itself_is_perfect(truth):
    perfect = [1, 1, 0, 1, 1, 0, 1]
    assert scores(dictionary_metrics(truth, truth)) == pytest.approx(perfect, abs=1e-7)


def test_order_of_atoms_does_not_matter_and_is_found(truth, learned):
    order = np.random.default_rng(2).permutation(12)
    plain, shuffled = (dictionary_metrics(each, truth) for each in (learned, learned[:, order]))
    assert scores(shuffled) == pytest.approx(scores(plain))
    np.testing.assert_array_equal(order[shuffled.columns], plain.columns)


def test_signs_change_the_signed_measures_only(truth, learned):
    plain, flipped = (dictionary_metrics(each, truth) for each in (learned, -learned))
    assert flipped.mean_signed_cosine == pytest.approx(-plain.mean_signed_cosine)
    assert flipped.share_wrong_sign == pytest.approx(1 - plain.share_wrong_sign)
    signed = {"mean_signed_cosine": 0, "share_wrong_sign": 0}
    assert scores(flipped._replace(**signed)) == pytest.approx(scores(plain._replace(**signed)))


def test_scale_changes_the_norm_ratio_only(truth, learned):
    plain, scaled = (dictionary_metrics(each, truth) for each in (learned, 5 * learned))
    assert scaled.mean_norm_ratio == pytest.approx(5 * plain.mean_norm_ratio)
    assert scores(scaled._replace(mean_norm_ratio=0)) == pytest.approx(
        scores(plain._replace(mean_norm_ratio=0))
    )


def test_angles_and_shares_by_hand():
    angles = np.array([0.0, 0.4, 0.6])
    truth = np.eye(6)[:, ::2]
    learned = np.cos(angles) * truth + np.sin(angles) * np.eye(6)[:, 1::2]
    learned[:, 2] *= -2
    result = dictionary_metrics(learned, truth)
    assert result.mean_angular_error == pytest.approx(angles.mean())
    assert result.mean_cosine == pytest.approx(np.cos(angles).mean())
    assert result.share_above_090 == pytest.approx(2 / 3)
    assert result.share_wrong_sign == pytest.approx(1 / 3)
    assert result.mean_norm_ratio == pytest.approx(4 / 3)


def test_a_dead_atom_is_orthogonal_to_everything(truth):
    dead = truth.copy()
    dead[:, 3] = 0
    result = dictionary_metrics(dead, truth)
    assert result.mean_cosine == pytest.approx(11 / 12)
    assert result.mean_norm_ratio == pytest.approx(11 / 12)
    assert result.share_wrong_sign == 0
    assert result.mean_angular_error == pytest.approx(np.pi / 2 / 12, abs=1e-6)


@pytest.mark.parametrize("width", [5, 20])
def test_dictionaries_of_another_width_are_matched_as_far_as_they_go(truth, width):
    wide = np.hstack([np.zeros((8, 8)), truth])[:, ::-1]
    result = dictionary_metrics(wide[:, :width], truth)
    assert len(result.rows) == min(width, 12)
    assert result.mean_cosine == pytest.approx(1)


def test_observed_dimensions_that_differ_are_named(truth):
    with pytest.raises(ValueError, match="8 and 7"):
        dictionary_metrics(truth[:7], truth)


def test_matched_with_its_sign_an_atom_turned_about_is_not_found(truth):
    learned = truth * np.where(np.arange(12) < 3, -1, 1)
    plain, signed = (dictionary_metrics(learned, truth, signed) for signed in (False, True))
    assert plain.mean_cosine == plain.share_above_090 == pytest.approx(1)
    assert plain.mean_signed_cosine == pytest.approx(1 / 2)
    assert signed.mean_signed_cosine > plain.mean_signed_cosine
    assert signed.share_above_090 == pytest.approx(9 / 12)


def test_where_codes_have_either_sign_no_atom_has_the_wrong_one(truth, learned):
    turned = learned * np.where(np.arange(12) < 3, -1, 1)
    plain = dictionary_metrics(learned, truth)
    either = dictionary_metrics(turned, truth, signed=True, either_sign=True)
    assert either.mean_signed_cosine == either.mean_cosine == pytest.approx(plain.mean_cosine)
    assert either.share_above_090 == plain.share_above_090
    assert either.share_wrong_sign == 0


def test_atoms_are_unique_if_no_other_is_closest_to_the_same_latent(truth):
    learned = truth.copy()
    learned[:, 1] = truth[:, 2]
    # Zero atoms, which are nobody's closest.
    learned[:, 5] = 0
    assert dictionary_metrics(learned, truth).uniqueness == pytest.approx(9 / 12)
