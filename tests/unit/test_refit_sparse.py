"""Values on the support of sparse codes, against scipy and the limits of the steps."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from sae_surgery.inference.refit_sparse import refit_by_gradient, refit_sparse
from sae_surgery.inference.sparse import SparseCodes

sizes = st.tuples(st.integers(1, 2), st.integers(1, 6), st.integers(2, 9), st.integers(1, 24))
"""Seeds, samples, observed dimensions, atoms: supports larger and smaller than observations."""


def problem(n_seeds, n_samples, obs_dim, n_atoms, seed=0, share=0.7):
    drawn = torch.Generator().manual_seed(seed)
    draw = {"generator": drawn, "dtype": torch.float64}
    observations = torch.randn(n_seeds, n_samples, obs_dim, **draw)
    dictionary = torch.randn(n_seeds, obs_dim, n_atoms, **draw)
    codes = torch.rand(n_seeds, n_samples, n_atoms, **draw) + 0.1
    codes *= torch.rand(codes.shape, **draw) < share
    return observations, dictionary, codes


def squared_error(observations, dictionary, codes):
    return (observations - codes.dense() @ dictionary.mT).square().sum(2)


@settings(deadline=None, max_examples=40)
@given(sizes, st.integers(0, 99))
def test_values_are_as_good_as_those_of_scipy_and_on_the_support(size, seed):
    observations, dictionary, codes = problem(*size, seed)
    found = refit_sparse(observations, dictionary, SparseCodes.pack(codes))
    assert (found.values > 0).all() and not found.dense()[codes == 0].any()
    reached = squared_error(observations, dictionary, found)
    for index in np.ndindex(*size[:2]):
        support = codes[index] > 0
        if support.any():
            atoms = dictionary[index[0]][:, support].numpy()
            expected, norm = nnls(atoms, observations[index].numpy())
            assert reached[index] == pytest.approx(norm**2, abs=1e-10)
            if support.sum() <= size[2]:
                np.testing.assert_allclose(found.dense()[index][support], expected, atol=1e-7)


@settings(deadline=None, max_examples=25)
@given(sizes, st.integers(0, 99))
def test_signed_values_are_least_squares(size, seed):
    observations, dictionary, codes = problem(*size, seed)
    found = refit_sparse(observations, dictionary, SparseCodes.pack(codes), non_negative=False)
    reached = squared_error(observations, dictionary, found)
    for index in np.ndindex(*size[:2]):
        atoms = dictionary[index[0]][:, codes[index] > 0].numpy()
        best = np.linalg.lstsq(atoms, observations[index].numpy())[0]
        error = np.square(observations[index].numpy() - atoms @ best).sum()
        assert reached[index] == pytest.approx(error, abs=1e-8)


def test_the_start_does_not_decide():
    observations, dictionary, codes = problem(1, 50, 30, 20)
    expected = refit_sparse(observations, dictionary, SparseCodes.pack(codes))
    for other in (codes * 1e6, codes * 1e-6, -codes):
        found = refit_sparse(observations, dictionary, SparseCodes.pack(other))
        torch.testing.assert_close(found.dense(), expected.dense(), atol=1e-9, rtol=1e-9)


def test_many_steps_lead_to_the_least_squares_and_each_lowers_the_error():
    observations, dictionary, codes = problem(1, 50, 30, 20)
    packed = SparseCodes.pack(codes)
    best = refit_sparse(observations, dictionary, packed)
    found = [refit_by_gradient(observations, dictionary, packed, n) for n in (0, 1, 5, 20_000)]
    assert torch.equal(found[0].dense(), codes)
    errors = [squared_error(observations, dictionary, codes) for codes in found]
    assert (errors[0] > errors[1]).all() and (errors[1] > errors[2]).all()
    torch.testing.assert_close(found[-1].dense(), best.dense(), atol=1e-7, rtol=1e-7)


def test_a_step_is_the_formula():
    observations, dictionary, codes = problem(1, 1, 9, 6, share=2)
    atoms, z = dictionary[0], codes[0, 0]
    gram = atoms.T @ atoms
    gradient = gram @ z - atoms.T @ observations[0, 0]
    expected = (z - gradient / gram.abs().sum(1).max()).clamp(min=0)
    found = refit_by_gradient(observations, dictionary, SparseCodes.pack(codes), 1)
    torch.testing.assert_close(found.dense()[0, 0], expected)


@pytest.mark.parametrize("scale", [1e-15, 1e15])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scales_do_not_matter(scale, dtype):
    observations, dictionary, codes = (part.to(dtype) for part in problem(1, 20, 30, 12))
    packed = SparseCodes.pack(codes)
    usual = refit_sparse(observations, dictionary, packed).dense()
    larger = refit_sparse(observations * scale, dictionary, packed).dense()
    longer = refit_sparse(observations, dictionary * scale, packed).dense()
    torch.testing.assert_close(larger / scale, usual, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(longer * scale, usual, atol=1e-6, rtol=1e-5)


def test_zeros_and_duplicates():
    observations, dictionary, codes = problem(1, 20, 9, 6, share=2)
    dictionary[:, :, 1] = 0
    dictionary[:, :, 2] = dictionary[:, :, 0]
    observations[:, 4] = 0
    packed = SparseCodes.pack(codes)
    for found in (
        refit_sparse(observations, dictionary, packed),
        refit_sparse(observations, dictionary, packed, non_negative=False),
    ):
        dense = found.dense()[0]
        assert dense.isfinite().all() and not dense[:, 1].any() and not dense[4].any()
    assert refit_by_gradient(observations, dictionary, packed, 9).values.isfinite().all()
    nothing = SparseCodes.pack(torch.zeros(1, 20, 6))
    assert not refit_sparse(observations, dictionary, nothing).counts.any()
    assert not refit_by_gradient(observations, dictionary, nothing, 2).counts.any()


def test_a_sample_depends_on_no_other():
    observations, dictionary, codes = problem(2, 20, 9, 30)
    whole = refit_sparse(observations, dictionary, SparseCodes.pack(codes)).dense()
    alone = refit_sparse(observations[1:, 7:8], dictionary[1:], SparseCodes.pack(codes[1:, 7:8]))
    assert torch.equal(alone.dense()[0, 0], whole[1, 7])


def test_what_cannot_be_refitted_is_refused():
    observations, dictionary, codes = problem(1, 5, 4, 6)
    packed = SparseCodes.pack(codes)
    with pytest.raises(ValueError, match=r"codes must be of .* \(1, 4, 6\), got \(1, 5, 6\)"):
        refit_sparse(observations[:, :4], dictionary, packed)
    with pytest.raises(ValueError, match="must be finite"):
        refit_sparse(observations * torch.nan, dictionary, packed)
    with pytest.raises(ValueError, match="n_steps must be"):
        refit_by_gradient(observations, dictionary, packed, -1)
