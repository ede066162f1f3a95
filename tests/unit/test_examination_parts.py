"""What answers are made of: recombination, detection, bootstrap of ratios, references."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import f1_score, roc_auc_score

from examined import ATOMS, K, dictionary, true_codes
from sae_surgery.examination._codes import as_rows, explained, from_rows
from sae_surgery.examination._detection import aucs, best_by_auc, best_by_f1, f1s
from sae_surgery.examination._neighbours import matched, nearest
from sae_surgery.examination._prior import Whitened, WithPrior
from sae_surgery.examination._recombination import Pairs, halves, in_new_pairs
from sae_surgery.examination._references import random_like, samples_as_atoms
from sae_surgery.examination._supports import correlation, f1


@pytest.fixture
def codes():
    return sparse.csr_array(true_codes(200, 0))


@pytest.fixture
def stream():
    return np.random.default_rng(0)


def test_codes_come_back_from_compressed_rows(codes):
    assert (as_rows(from_rows(codes)) != codes).nnz == 0


def test_pairs_that_occur_are_known(codes):
    pairs, dense = Pairs(codes), codes.toarray() > 0
    together = dense.T.astype(int) @ dense.astype(int) > 0
    left, right = np.meshgrid(np.arange(ATOMS), np.arange(ATOMS), indexing="ij")
    assert (pairs.together(left, right) == (together | np.eye(ATOMS, dtype=bool))).all()


def test_new_pairs_never_occur(codes, stream):
    few = codes[:40]
    pairs = Pairs(few)
    made = in_new_pairs(few, np.full(50, 2), pairs, stream)
    assert (np.diff(made.indptr) == 2).all()
    assert pairs.share_new(made) == 1
    assert set(made.data) <= set(few.data)


def test_where_all_pairs_occur_samples_end_with_fewer_atoms(stream):
    whole = sparse.csr_array(np.ones((3, 4)))
    made = in_new_pairs(whole, np.full(5, 2), Pairs(whole), stream)
    assert made.nnz == 0


def test_halves_are_of_two_samples_with_no_atom_in_common(codes, stream):
    made = halves(codes, 30, Pairs(codes), stream)
    assert (np.diff(made.indptr) == K).all()
    assert Pairs(codes).share_new(made) > Pairs(codes).share_new(codes) == 0


def test_the_same_seed_recombines_alike(codes):
    made = [halves(codes, 20, Pairs(codes), np.random.default_rng(3)) for _ in range(2)]
    assert (made[0] != made[1]).nnz == 0


def test_detectors_are_the_best_atoms():
    drawn = np.random.default_rng(1)
    values = drawn.random((300, 30)) * (drawn.random((300, 30)) < 0.2)
    labels = drawn.random((300, 4)) < 0.3
    labels[:, 0] |= values[:, 7] > 0.4
    rows = sparse.csr_array(values)
    auc = [[roc_auc_score(labels[:, b], values[:, a]) for b in range(4)] for a in range(30)]
    assert best_by_auc(rows, labels).atom.tolist() == np.argmax(auc, axis=0).tolist()
    best = best_by_f1(rows, labels)

    def highest(atom, label):
        levels = np.unique(values[:, atom][values[:, atom] > 0])
        return max(f1_score(labels[:, label], values[:, atom] >= level) for level in levels)

    for label in range(4):
        said = values[:, best.atom[label]] >= best.threshold[label]
        reached = f1_score(labels[:, label], said)
        assert reached == pytest.approx(max(highest(atom, label) for atom in range(30)))


def test_weighted_scores_are_those_of_samples_drawn_so_often():
    drawn = np.random.default_rng(2)
    values, label = drawn.integers(0, 5, 80).astype(float), drawn.random(80) < 0.4
    weights = drawn.integers(0, 3, (4, 80))
    for weight, auc, score in zip(
        weights, aucs(values, label, weights), f1s(values > 2, label, weights), strict=True
    ):
        rows = np.repeat(np.arange(80), weight)
        assert auc == pytest.approx(roc_auc_score(label[rows], values[rows]))
        assert score == pytest.approx(f1_score(label[rows], values[rows] > 2))


def test_explained_variance_lies_in_its_interval():
    drawn = np.random.default_rng(3)
    total = drawn.uniform(1, 2, 1000)
    value, low, high = explained(0.2 * total * drawn.uniform(0.5, 1.5, 1000), total)
    assert low < value < high
    assert value == pytest.approx(0.8, abs=0.02)
    assert high - low < 0.03


def test_recovered_codes_have_full_marks(codes):
    assert f1(codes, codes)[0] == 1
    assert correlation(codes, codes) == pytest.approx(1)
    assert f1(sparse.csr_array(codes.shape), codes)[0] == 0


def test_correlation_is_numpys(codes):
    noisy = sparse.csr_array(codes.toarray() * np.random.default_rng(4).random(codes.shape))
    each = [
        np.corrcoef(codes.toarray()[:, atom], noisy.toarray()[:, atom])[0, 1]
        for atom in range(ATOMS)
        if codes.toarray()[:, atom].any()
    ]
    assert correlation(noisy, codes) == pytest.approx(np.mean(each))


def test_random_atoms_have_the_datas_covariance(stream):
    axis = np.array([3.0, 4.0, 0.0]) / 5
    y = stream.normal(size=(500, 1)) * axis + 0.01 * stream.normal(size=(500, 3))
    atoms = random_like(y.astype(np.float32), 200, stream)
    assert np.abs(axis @ atoms).mean() > 0.99


def test_samples_as_atoms_are_different_ones(stream):
    y = np.repeat(stream.normal(size=(10, 5)), 4, axis=0).astype(np.float32)
    atoms = samples_as_atoms(y, 10, stream)
    assert len(np.unique(atoms.round(5), axis=1).T) == 10
    assert samples_as_atoms(y, 13, stream).shape == (5, 13)


def test_the_nearest_atom_is_not_the_atom_itself():
    atoms = dictionary()
    cosines = atoms.T @ atoms - 2 * np.eye(ATOMS)
    assert nearest(atoms, atoms, own=True) == pytest.approx(cosines.max(axis=0), abs=1e-5)
    assert nearest(atoms, atoms) == pytest.approx(np.ones(ATOMS))


def test_large_dictionaries_are_matched_by_their_nearest_atoms(monkeypatch, stream):
    monkeypatch.setattr("sae_surgery.examination._neighbours.MOST_MATCHED", 10)
    assert matched(dictionary(), dictionary(), stream) == pytest.approx(1)
    assert matched(dictionary(), dictionary(1), stream) < 0.7


def test_a_right_prior_helps_and_has_the_wanted_number_of_atoms(codes, stream):
    d = dictionary()
    y = (codes @ d.T).astype(np.float32)
    noise = np.full(len(d), 0.03)
    y += (stream.normal(size=y.shape) * np.sqrt(noise)).astype(np.float32)
    white = Whitened.of(d, noise, np.eye(len(d)))
    told, alone = map(WithPrior(y, white, codes, K).codes, (0.5, 1.0))
    assert f1(told, codes)[0] > f1(alone, codes)[0] + 0.02
    assert np.diff(told.indptr).mean() == pytest.approx(K, rel=0.05)
