"""Greedy pursuits against scikit-learn, a plain implementation, and at the ends of their range."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls
from sklearn.linear_model import orthogonal_mp

from benchmarks.harness import limited_threads
from sae_surgery.inference import greedy
from sae_surgery.inference.gradient_pursuit import gradient_pursuit
from sae_surgery.inference.omp import omp
from sae_surgery.inference.refit_sparse import refit_sparse

PURSUITS = {
    "non-negative": omp,
    "signed": lambda y, d, k: omp(y, d, k, non_negative=False),
    "gradient": gradient_pursuit,
}


@pytest.fixture(params=PURSUITS)
def pursuit(request):
    return PURSUITS[request.param]


def problem(n_samples=40, obs_dim=20, n_atoms=90, seed=0, dtype=torch.float32):
    drawn = torch.Generator().manual_seed(seed)
    dictionary = torch.randn(1, obs_dim, n_atoms, generator=drawn, dtype=dtype)
    return torch.randn(1, n_samples, obs_dim, generator=drawn, dtype=dtype), dictionary


def unit(dictionary):
    return dictionary / dictionary.norm(dim=1, keepdim=True)


def plain_non_negative_omp(y, atoms, k):
    """Take the atom of largest correlation, solve NNLS on those taken, keep the positive."""
    support, codes = [], np.zeros(atoms.shape[1])
    while len(support) < k:
        correlations = atoms.T @ (y - atoms @ codes)
        correlations[support] = -np.inf
        if correlations.max() <= 1e-7 * np.linalg.norm(y):
            break
        support.append(int(correlations.argmax()))
        values, _ = nnls(atoms[:, support], y)
        codes = np.zeros(atoms.shape[1])
        codes[support] = values
        support = [atom for atom in support if codes[atom] > 0]
    return codes


def plain_gradient_pursuit(y, atoms, k):
    taken, codes = np.zeros(atoms.shape[1], bool), np.zeros(atoms.shape[1])
    for _ in range(k):
        residual = y - atoms @ codes
        correlations = atoms.T @ residual
        taken[correlations.argmax()] = True
        gradient = np.where(taken, correlations, 0)
        change = atoms @ gradient
        codes = np.maximum(codes + (change @ residual) / (change @ change) * gradient, 0)
    return codes


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 99), st.integers(1, 12), st.integers(3, 24), st.integers(2, 120))
def test_signed_codes_are_those_of_scikit_learn(seed, k, obs_dim, n_atoms):
    observations, dictionary = problem(9, obs_dim, n_atoms, seed, torch.float64)
    dictionary, k = unit(dictionary), min(k, obs_dim, n_atoms)
    codes = omp(observations, dictionary, k, non_negative=False).dense()[0]
    expected = orthogonal_mp(dictionary[0].numpy(), observations[0].numpy().T, n_nonzero_coefs=k)
    np.testing.assert_allclose(codes.T, expected.reshape(n_atoms, 9), atol=1e-7, rtol=1e-7)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 99), st.integers(1, 12), st.integers(3, 24), st.integers(2, 120))
def test_non_negative_codes_are_those_of_a_plain_implementation(seed, k, obs_dim, n_atoms):
    observations, dictionary = problem(9, obs_dim, n_atoms, seed, torch.float64)
    dictionary = unit(dictionary)
    codes = omp(observations, dictionary, k).dense()[0]
    for y, found in zip(observations[0].numpy(), codes.numpy(), strict=True):
        expected = plain_non_negative_omp(y, dictionary[0].numpy(), k)
        np.testing.assert_allclose(found, expected, atol=1e-7, rtol=1e-7)


def test_atoms_leave_in_what_is_compared_above():
    """Else the test above would say nothing of it."""
    observations, dictionary = problem(200, 20, 90, 0, torch.float64)
    longer, shorter = (omp(observations, dictionary, k).dense() for k in (12, 11))
    assert ((shorter > 0) & (longer == 0)).any()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 99), st.integers(1, 12))
def test_gradient_pursuit_is_that_of_a_plain_implementation(seed, k):
    observations, dictionary = problem(9, seed=seed, dtype=torch.float64)
    dictionary = unit(dictionary)
    codes = gradient_pursuit(observations, dictionary, k).dense()[0]
    for y, found in zip(observations[0].numpy(), codes.numpy(), strict=True):
        expected = plain_gradient_pursuit(y, dictionary[0].numpy(), k)
        np.testing.assert_allclose(found, expected, atol=1e-9, rtol=1e-9)


def test_each_sample_has_its_own_k(pursuit):
    observations, dictionary = problem()
    k = torch.arange(40) % 7
    codes = pursuit(observations, dictionary, k)
    assert (codes.counts[0] <= k).all() and (codes.counts[0][k == 0] == 0).all()
    for wanted in range(1, 7):
        alone = pursuit(observations, dictionary, wanted).dense()[0]
        assert torch.equal(codes.dense()[0][k == wanted], alone[k == wanted])
    assert torch.equal(codes.dense(), pursuit(observations, dictionary, k[None]).dense())


def test_a_sample_depends_on_no_other(pursuit, monkeypatch, two_threads):
    observations, dictionary = problem(70, 24, 200)
    whole = pursuit(observations, dictionary, 6).dense()[0]
    assert torch.equal(whole, pursuit(observations, dictionary, 6).dense()[0])
    for part in (slice(0, 1), slice(13, 14), slice(20, 51)):
        assert torch.equal(pursuit(observations[:, part], dictionary, 6).dense()[0], whole[part])
    monkeypatch.setattr(greedy, "BLOCK_SAMPLES", 16)
    monkeypatch.setattr(greedy, "TILE_ATOMS", 48)
    monkeypatch.setattr(greedy, "ROOM", 2)
    assert torch.equal(pursuit(observations, dictionary, 6).dense()[0], whole)
    with limited_threads(1):
        assert torch.equal(pursuit(observations, dictionary, 6).dense()[0], whole)


def test_seeds_are_solved_by_themselves(pursuit):
    pairs = [problem(seed=seed) for seed in (0, 1)]
    together = pursuit(*(torch.cat(part) for part in zip(*pairs, strict=True)), 5).dense()
    for seed, pair in enumerate(pairs):
        assert torch.equal(together[seed], pursuit(*pair, 5).dense()[0])


def test_columns_of_any_length_are_the_same_atoms(pursuit):
    observations, dictionary = problem(dtype=torch.float64)
    lengths = torch.logspace(-15, 15, 90, dtype=torch.float64)
    usual = pursuit(observations, unit(dictionary), 5).dense()
    scaled = pursuit(observations, unit(dictionary) * lengths, 5).dense()
    torch.testing.assert_close(scaled * lengths, usual, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-15, 1e15])
def test_observations_of_any_size_are_solved_alike(pursuit, scale):
    observations, dictionary = problem()
    usual = pursuit(observations, dictionary, 5).dense()
    scaled = pursuit(observations * scale, dictionary, 5).dense()
    torch.testing.assert_close(scaled / scale, usual, rtol=1e-5, atol=1e-6)


def test_atoms_of_zeros_are_never_taken(pursuit):
    observations, dictionary = problem()
    dictionary[:, :, ::2] = 0
    observations[:, 3] = 0
    codes = pursuit(observations, dictionary, 200).dense()[0]
    assert not codes[:, ::2].any() and codes[:, 1::2].any() and not codes[3].any()
    assert codes.isfinite().all()
    nothing = pursuit(observations, torch.zeros_like(dictionary), 5)
    assert not nothing.counts.any()


def test_of_equal_atoms_the_first_is_taken(pursuit):
    observations, dictionary = problem()
    doubled = torch.cat([dictionary, dictionary, dictionary * 2], 2)
    codes = pursuit(observations, doubled, 30).dense()[0]
    assert not codes[:, 90:].any()
    assert torch.equal(codes[:, :90], pursuit(observations, dictionary, 30).dense()[0])


def test_more_atoms_than_dimensions_explain_everything():
    observations, dictionary = problem(30, 12, 200)
    for non_negative in (True, False):
        codes = omp(observations, dictionary, 500, non_negative)
        assert (codes.counts <= 12).all()
        missed = observations - codes.dense(torch.float32) @ dictionary.mT
        assert (missed.norm(dim=2) <= 1e-5 * observations.norm(dim=2)).all()


@pytest.mark.parametrize("non_negative", [True, False], ids=["non-negative", "signed"])
@pytest.mark.parametrize("n_samples", [20, 200], ids=["by residuals", "by products of atoms"])
def test_exchanges_lower_the_error_and_keep_the_values_the_best(n_samples, non_negative):
    observations, dictionary = problem(n_samples, 20, 150, dtype=torch.float64)
    dictionary, errors, codes = unit(dictionary), [], None
    for swaps in (0, 1, 2, 50):
        codes = omp(observations, dictionary, 6, non_negative, swaps)
        assert (codes.counts == 6).all() and (not non_negative or (codes.values > 0).all())
        missed = observations - codes.dense() @ dictionary.mT
        errors.append(missed.square().sum(2))
    for fewer, more in pairwise(errors):
        assert (more <= fewer + 1e-12).all()
    assert (errors[-1] < errors[0] - 1e-3).any()
    refitted = refit_sparse(observations, dictionary, codes, non_negative)
    torch.testing.assert_close(refitted.dense(), codes.dense(), atol=1e-9, rtol=1e-9)


def test_an_exchange_takes_out_the_atom_that_is_missed_least():
    observations, dictionary = problem(100, 20, 150, dtype=torch.float64)
    dictionary = unit(dictionary)
    before, after = (omp(observations, dictionary, 6, False, swaps).dense()[0] for swaps in (0, 1))
    exchanged = (before != after).any(1).nonzero()[:, 0]
    assert len(exchanged) > 3
    for sample in exchanged:
        active = before[sample].nonzero()[:, 0]
        y = observations[0, sample, :, None]
        without = [dictionary[0][:, active[active != atom]] for atom in active]
        errors = [(y - rest @ torch.linalg.lstsq(rest, y).solution).norm() for rest in without]
        (gone,) = active[after[sample, active] == 0]
        assert gone == active[int(np.argmin(errors))]


def test_there_may_be_no_samples(pursuit):
    observations, dictionary = problem()
    codes = pursuit(observations[:, :0], dictionary, 3)
    assert codes.counts.shape == (1, 0) and codes.dense().shape == (1, 0, 90)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": -1}, "k must be an integer of at least 0, got -1"),
        ({"k": 2.0}, "k must be"),
        ({"k": torch.ones(5)}, r"k must be .* \(1, 40\) or \(40,\), got torch.float32"),
        ({"k": torch.full((40,), -1)}, "k must be"),
        ({"observations": torch.ones(1, 4, 3)}, "must share seed and obs"),
        ({"observations": torch.full((1, 4, 20), torch.nan)}, "observations must be finite"),
        ({"dictionary": torch.full((1, 20, 4), 1e38)}, "dictionary must be finite, at most 1e"),
        ({"dictionary": torch.ones(1, 20, 4).double()}, "must both be float32 or both float64"),
    ],
)
def test_what_cannot_be_solved_is_refused(pursuit, change, message):
    observations, dictionary = problem()
    arguments = {"observations": observations, "dictionary": dictionary, "k": 3} | change
    with pytest.raises(ValueError, match=message):
        pursuit(*arguments.values())
