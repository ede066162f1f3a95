"""Codes refitted on a support, against literal formulas, KKT conditions and scipy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls
from torch import Tensor

from sae_surgery.inference import refit
from sae_surgery.inference.fista import fista
from sae_surgery.inference.refit import KKT_TOLERANCE, least_squares_on_support, nnls_on_support

sizes = st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(2, 9), st.integers(1, 24))
"""Seeds, samples, observed dimensions, atoms: supports larger and smaller than observations."""


def problem(n_seeds: int, n_samples: int, obs_dim: int, n_atoms: int, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    draw = {"generator": generator, "dtype": torch.float64}
    observations = torch.randn(n_seeds, n_samples, obs_dim, **draw)
    dictionary = torch.randn(n_seeds, obs_dim, n_atoms, **draw)
    support = torch.rand(n_seeds, n_samples, n_atoms, **draw) < 0.7
    return observations, dictionary, support


def residual(observations: Tensor, dictionary: Tensor, codes: Tensor) -> Tensor:
    return observations - codes @ dictionary.mT


def supports(support: Tensor):
    """Yield seed, sample and the indices of its active atoms."""
    for seed, sample in np.ndindex(*support.shape[:2]):
        yield seed, sample, support[seed, sample].nonzero()[:, 0]


@settings(deadline=None, max_examples=25)
@given(sizes, st.integers(0, 99))
def test_least_squares_is_the_literal_formula(size, seed):
    observations, dictionary, support = problem(*size, seed)
    codes = least_squares_on_support(observations, dictionary, support)
    assert not codes[~support].any()
    for seed, sample, active in supports(support):
        atoms = dictionary[seed][:, active]
        gram = atoms.T @ atoms + refit.RIDGE * torch.eye(len(active), dtype=torch.float64)
        literal = torch.linalg.solve(gram, atoms.T @ observations[seed, sample])
        # With more atoms than dimensions the literal matrix has condition 1e9.
        torch.testing.assert_close(codes[seed, sample, active], literal, atol=1e-5, rtol=1e-5)
    clamped = least_squares_on_support(observations, dictionary, support, clamp=True)
    assert torch.equal(clamped, codes.clamp(min=0))


def test_least_squares_of_large_supports_have_the_smallest_norm():
    observations, dictionary, _ = problem(2, 5, 4, 11)
    everywhere = torch.ones(2, 5, 11, dtype=torch.bool)
    codes = least_squares_on_support(observations, dictionary, everywhere)
    smallest = observations @ torch.linalg.pinv(dictionary).mT
    torch.testing.assert_close(codes, smallest, atol=1e-6, rtol=1e-6)


@settings(deadline=None, max_examples=25)
@given(sizes, st.integers(0, 99))
def test_nnls_meets_the_kkt_conditions(size, seed):
    observations, dictionary, support = problem(*size, seed)
    codes = nnls_on_support(observations, dictionary, support)
    assert (codes >= 0).all() and not codes[~support].any()
    slopes = residual(observations, dictionary, codes) @ dictionary
    scale = observations.norm(dim=2)[..., None] * dictionary.norm(dim=1)[:, None]
    assert (slopes[support] <= KKT_TOLERANCE * scale[support]).all()
    positive = codes > 0
    assert (slopes[positive].abs() <= 1e-10 * scale[positive]).all()
    assert (positive.sum(2) <= size[2]).all()


@settings(deadline=None, max_examples=25)
@given(sizes, st.integers(0, 99))
def test_nnls_is_as_good_as_scipy(size, seed):
    observations, dictionary, support = problem(*size, seed)
    codes = nnls_on_support(observations, dictionary, support)
    errors = residual(observations, dictionary, codes).norm(dim=2)
    for seed, sample, active in supports(support):
        if len(active) == 0:
            continue
        atoms = dictionary[seed][:, active].numpy()
        expected, error = nnls(atoms, observations[seed, sample].numpy())
        assert errors[seed, sample] == pytest.approx(error, abs=1e-6)
        if len(active) <= len(atoms):
            values = codes[seed, sample, active].numpy()
            np.testing.assert_allclose(values, expected, atol=1e-6, rtol=1e-6)


@settings(deadline=None, max_examples=15)
@given(sizes, st.integers(0, 99))
def test_refitting_never_raises_the_residual(size, seed):
    observations, dictionary, _ = problem(*size, seed)
    codes = fista(observations, dictionary, 0.1, 5)
    before = residual(observations, dictionary, codes).norm(dim=2)
    unconstrained, constrained, clamped = (
        residual(observations, dictionary, refitted).norm(dim=2)
        for refitted in (
            least_squares_on_support(observations, dictionary, codes > 0),
            nnls_on_support(observations, dictionary, codes > 0),
            least_squares_on_support(observations, dictionary, codes > 0, clamp=True),
        )
    )
    assert (constrained <= before + 1e-9).all()
    assert (unconstrained <= constrained + 1e-6).all(), "up to the ridge"
    assert (constrained <= clamped + 1e-6).all()


@pytest.mark.parametrize("refitted", [least_squares_on_support, nnls_on_support])
def test_true_codes_are_found_from_their_support(refitted):
    _, dictionary, support = problem(3, 40, 20, 50)
    support &= torch.rand(support.shape, generator=torch.Generator().manual_seed(1)) < 0.2
    truth = support * torch.rand(support.shape, generator=torch.Generator().manual_seed(2))
    dictionary, truth = dictionary.float(), truth.float()
    codes = refitted(truth @ dictionary.mT, dictionary, support)
    assert codes.dtype == torch.float32
    torch.testing.assert_close(codes, truth, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("refitted", [least_squares_on_support, nnls_on_support])
def test_equal_dead_and_absent_atoms_do_no_harm(refitted):
    observations, dictionary, support = problem(2, 30, 6, 12)
    dictionary[..., 3] = dictionary[..., 7] = dictionary[..., 0]
    dictionary[..., 5] = 0
    support[:, 0] = False
    support[:, 1] = True
    observations[:, 2] = 0
    codes = refitted(observations, dictionary, support)
    assert codes.isfinite().all()
    assert not codes[:, 0].any() and not codes[..., 5].any() and not codes[:, 2].any()
    equal = codes[:, 1, [0, 3, 7]]
    if refitted is nnls_on_support:
        assert ((equal > 0).sum(1) <= 1).all()
    else:
        torch.testing.assert_close(equal, equal.mean(1, keepdim=True).expand(-1, 3))
    assert codes[:, 1].any()


@pytest.mark.parametrize("refitted", [least_squares_on_support, nnls_on_support])
def test_a_sample_s_codes_depend_on_nothing_else(refitted):
    observations, dictionary, support = (x for x in problem(3, 33, 13, 29))
    observations, dictionary = observations.float(), dictionary.float()
    codes = refitted(observations, dictionary, support)
    part = slice(1, 2), slice(5, 18)
    alone = refitted(observations[part], dictionary[part[0]], support[part])
    assert torch.equal(codes[part], alone)
    assert torch.equal(codes, refitted(observations, dictionary, support))


def test_nnls_that_does_not_end_is_an_error(monkeypatch):
    monkeypatch.setattr(refit, "STEPS_AN_ATOM", 0)
    observations, dictionary, support = problem(1, 5, 6, 12)
    with pytest.raises(RuntimeError, match="did not end"):
        nnls_on_support(observations, dictionary, support)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y, d, s: (y[:1], d, s), "must share seed and obs"),
        (lambda y, d, s: (y, d, s[:, 1:]), "support must be boolean with shape"),
        (lambda y, d, s: (y, d, s.float()), "got torch.float32 with shape"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    for refitted in (least_squares_on_support, nnls_on_support):
        with pytest.raises(ValueError, match=message):
            refitted(*change(*problem(2, 3, 5, 12)))
