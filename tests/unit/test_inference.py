"""Codes for a given dictionary: FISTA, ISTA and matching pursuit."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sae_surgery.inference import few_atoms, layout
from sae_surgery.inference.columns import unit_columns
from sae_surgery.inference.few_atoms import FewAtoms
from sae_surgery.inference.fista import (
    duality_gap,
    fista,
    fista_snapshots,
    ista,
    lasso_objective,
    lasso_path,
    step_bound,
)
from sae_surgery.inference.fista_kernels import MAX_WORKING_SET
from sae_surgery.inference.pursuit import matching_pursuit

LAM = 0.1

sizes = st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(2, 9), st.integers(2, 24))
"""Seeds, samples, observed dimensions, atoms: both forms of the gradient occur."""


def problem(n_seeds: int, n_samples: int, obs_dim: int, n_atoms: int, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    draw = {"generator": generator, "dtype": torch.float64}
    dictionary = torch.randn(n_seeds, obs_dim, n_atoms, **draw)
    dictionary /= dictionary.norm(dim=1, keepdim=True)
    codes = torch.rand(n_seeds, n_samples, n_atoms, **draw)
    codes *= torch.rand(n_seeds, n_samples, n_atoms, **draw) < 2 / n_atoms
    return codes @ dictionary.mT, dictionary


def make_blocks_small(monkeypatch, elements):
    monkeypatch.setitem(layout.BLOCK_ELEMENTS, "cpu", elements)
    monkeypatch.setattr(layout, "BLOCK_SAMPLES", 1)


def textbook_fista(y: Tensor, dictionary: Tensor, lam: float, n_iter: int) -> Tensor:
    """Code one sample as Beck and Teboulle write it, with the clamp after the soft threshold."""
    lipschitz = torch.linalg.svdvals(dictionary)[0] ** 2
    z = point = torch.zeros(dictionary.shape[1], dtype=y.dtype)
    t = 1.0
    for _ in range(n_iter):
        moved = point - dictionary.T @ (dictionary @ point - y) / lipschitz
        soft = torch.sign(moved) * torch.clamp(moved.abs() - lam / lipschitz, min=0)
        z_next = torch.clamp(soft, min=0)
        t_next = (1 + math.sqrt(1 + 4 * t**2)) / 2
        point = z_next + (t - 1) / t_next * (z_next - z)
        z, t = z_next, t_next
    return z


@pytest.mark.parametrize("n_atoms", [8, 40], ids=["gram form", "residual form"])
def test_fista_is_the_textbook_algorithm(n_atoms):
    observations, dictionary = problem(2, 5, 7, n_atoms)
    codes = fista(observations, dictionary, LAM, 60)
    for seed in range(2):
        for sample in range(5):
            expected = textbook_fista(observations[seed, sample], dictionary[seed], LAM, 60)
            torch.testing.assert_close(codes[seed, sample], expected)


def test_zero_atoms_change_the_form_of_the_gradient_but_not_the_codes():
    observations, dictionary = problem(2, 6, 9, 12)
    padded = torch.nn.functional.pad(dictionary, (0, 30))
    codes = fista(observations, padded, LAM, 50)
    torch.testing.assert_close(codes[..., :12], fista(observations, dictionary, LAM, 50))
    assert not codes[..., 12:].any()


@settings(deadline=None, max_examples=15)
@given(sizes, st.integers(1, 80), st.booleans())
def test_fista_keeps_below_its_bound(size, n_iter, non_negative):
    observations, dictionary = problem(*size)
    solution = fista(observations, dictionary, LAM, 5000, non_negative=non_negative)
    codes = fista(observations, dictionary, LAM, n_iter, non_negative=non_negative)
    excess = lasso_objective(observations, dictionary, codes, LAM) - lasso_objective(
        observations, dictionary, solution, LAM
    )
    distance = solution.square().sum(2)
    bound = 2 * step_bound(dictionary)[:, None] * distance / (n_iter + 1) ** 2
    assert (excess <= bound + 1e-9).all()


@settings(deadline=None, max_examples=15)
@given(sizes, st.booleans())
def test_converged_codes_meet_the_kkt_conditions(size, non_negative):
    observations, dictionary = problem(*size)
    codes = fista(observations, dictionary, LAM, 5000, non_negative=non_negative)
    correlations = (observations - codes @ dictionary.mT) @ dictionary
    active = codes.abs() > 1e-3
    torch.testing.assert_close(correlations[active], LAM * codes.sign()[active], atol=1e-4, rtol=0)
    assert ((correlations if non_negative else correlations.abs()) <= LAM + 1e-4).all()
    assert not non_negative or (codes >= 0).all()


@settings(deadline=None, max_examples=15)
@given(sizes, st.integers(0, 100), st.booleans())
def test_duality_gap_bounds_the_excess(size, n_iter, non_negative):
    observations, dictionary = problem(*size)
    solution = fista(observations, dictionary, LAM, 5000, non_negative=non_negative)
    codes = fista(observations, dictionary, LAM, n_iter, non_negative=non_negative)
    excess = lasso_objective(observations, dictionary, codes, LAM) - lasso_objective(
        observations, dictionary, solution, LAM
    )
    gap = duality_gap(observations, dictionary, codes, LAM, non_negative)
    assert (gap >= excess - 1e-9).all()
    assert (duality_gap(observations, dictionary, solution, LAM, non_negative) < 1e-4).all()


def test_signed_codes_are_found_where_non_negative_ones_cannot_be():
    observations, dictionary = problem(1, 4, 6, 6)
    flipped = fista(-observations, dictionary, LAM, 500, non_negative=False)
    torch.testing.assert_close(
        flipped, -fista(observations, dictionary, LAM, 500, non_negative=False)
    )
    assert (flipped < 0).any()
    assert (fista(-observations, dictionary, LAM, 500) >= 0).all()


def test_warm_and_cold_starts_meet_and_leave_the_start_alone():
    observations, dictionary = problem(2, 5, 8, 12)
    start = torch.rand(2, 5, 12, dtype=torch.float64)
    kept = start.clone()
    warm = fista(observations, dictionary, LAM, 5000, start=start)
    cold = fista(observations, dictionary, LAM, 5000)
    assert torch.equal(start, kept)
    objectives = [lasso_objective(observations, dictionary, z, LAM) for z in (warm, cold)]
    torch.testing.assert_close(*objectives)
    assert torch.equal(fista(observations, dictionary, LAM, 0, start=start), start)


@pytest.mark.parametrize("n_atoms", [8, 40], ids=["gram form", "residual form"])
@pytest.mark.parametrize("counts", [(0, 1, 2, 7, 30), (5,), (0,)])
def test_snapshots_of_one_run_are_those_of_separate_runs(n_atoms, counts, monkeypatch):
    make_blocks_small(monkeypatch, 2**8)
    observations, dictionary = problem(2, 53, 7, n_atoms)
    generator = torch.Generator().manual_seed(1)
    start = torch.randn(2, 53, n_atoms, generator=generator, dtype=torch.float64)
    for non_negative in (True, False):
        for given_start in (start, None):
            arguments = given_start, non_negative
            snapshots = fista_snapshots(observations, dictionary, LAM, counts, *arguments)
            assert len(snapshots) == len(counts)
            for count, codes in zip(counts, snapshots, strict=True):
                separate = fista(observations, dictionary, LAM, count, *arguments)
                assert codes.is_contiguous()
                torch.testing.assert_close(codes, separate, rtol=0, atol=1e-12)


@pytest.mark.parametrize("non_negative", [True, False])
@pytest.mark.parametrize("n_codes", [5, MAX_WORKING_SET + 50], ids=["few", "too many at first"])
@pytest.mark.parametrize("gram_limit", [few_atoms.LARGEST_GRAM, 0], ids=["products", "no products"])
@pytest.mark.parametrize("max_looks", [math.inf, 0], ids=["pays", "never pays"])
def test_steps_on_few_atoms_are_those_on_all(
    non_negative, n_codes, gram_limit, max_looks, monkeypatch
):
    observations, dictionary = problem(2, 20, 60, 300)
    dictionary *= torch.linspace(0.5, 2, 300, dtype=torch.float64)
    start = torch.zeros(2, 20, 300, dtype=torch.float64)
    start[..., :n_codes] = 0.1
    arguments = observations, dictionary, LAM, (1, 2, 30, 300), start, non_negative
    monkeypatch.setattr(few_atoms, "LARGEST_GRAM", gram_limit)
    monkeypatch.setattr(few_atoms, "MAX_LOOKS", max_looks)
    monkeypatch.setattr(FewAtoms, "suffice", lambda self, codes: True)
    with monkeypatch.context() as watched:
        ranges = []
        advance = FewAtoms.advance
        watched.setattr(FewAtoms, "advance", lambda *a: ranges.append(a[-2:]) or advance(*a))
        few = fista_snapshots(*arguments)
    if max_looks:
        assert set(ranges) == {(1, 2), (2, 30), (30, 300)}
    else:
        assert {(1, 2), (52, 57), (107, 112), (272, 277)} < set(ranges)
    monkeypatch.setattr(FewAtoms, "serves", staticmethod(lambda dictionary: False))
    for codes, expected in zip(few, fista_snapshots(*arguments), strict=True):
        torch.testing.assert_close(codes, expected, rtol=0, atol=1e-12)
        assert torch.equal(codes != 0, expected != 0)


def test_the_path_goes_down_and_each_point_starts_from_the_one_before():
    observations, dictionary = problem(2, 5, 8, 12)
    path = list(lasso_path(observations, dictionary, (0.01, 1.0, 0.1), 5))
    assert [lam for lam, _ in path] == [1.0, 0.1, 0.01]
    start = None
    for lam, codes in path:
        assert torch.equal(codes, fista(observations, dictionary, lam, 5, start))
        start = codes
    for lam, codes in lasso_path(observations, dictionary, (0.01, 1.0, 0.1), 5000):
        cold = fista(observations, dictionary, lam, 5000)
        objectives = [lasso_objective(observations, dictionary, z, lam) for z in (codes, cold)]
        torch.testing.assert_close(*objectives)


def test_ista_descends_and_meets_fista():
    observations, dictionary = problem(2, 5, 8, 12)
    objectives = [
        lasso_objective(observations, dictionary, ista(observations, dictionary, LAM, n), LAM)
        for n in (0, 1, 2, 5, 20, 20_000)
    ]
    for before, after in pairwise(objectives):
        assert (after <= before + 1e-12).all()
    solution = fista(observations, dictionary, LAM, 5000)
    torch.testing.assert_close(
        objectives[-1], lasso_objective(observations, dictionary, solution, LAM)
    )


@pytest.mark.parametrize("shape", [(50, 33), (47, 13), (13, 5), (100, 47)])
def test_codes_do_not_depend_on_the_other_seeds(shape, monkeypatch):
    make_blocks_small(monkeypatch, 2**12)
    n_atoms, obs_dim = shape
    observations, dictionary = (x.float() for x in problem(3, 101, obs_dim, n_atoms))
    for infer in (
        lambda y, d: fista(y, d, LAM, 30),
        lambda y, d: fista(y, d, LAM, 30, non_negative=False),
        lambda y, d: matching_pursuit(y, d, 5),
    ):
        together = infer(observations, dictionary)
        assert together.dtype == torch.float32
        assert torch.equal(together[1:2], infer(observations[1:2], dictionary[1:2]))


def test_blocks_of_samples_give_the_same_codes(monkeypatch):
    observations, dictionary = problem(2, 53, 8, 20)
    whole = fista(observations, dictionary, LAM, 40), matching_pursuit(observations, dictionary, 3)
    make_blocks_small(monkeypatch, 100)
    assert len(layout.sample_blocks(64, 20, torch.device("cpu"))) == 4
    torch.testing.assert_close(fista(observations, dictionary, LAM, 40), whole[0])
    torch.testing.assert_close(matching_pursuit(observations, dictionary, 3), whole[1])


@given(st.integers(1, 500), st.integers(1, 10**6))
def test_blocks_cover_all_samples_once(n_vectors, n_atoms):
    n_samples = n_vectors * layout.VECTOR_WIDTH
    blocks = layout.sample_blocks(n_samples, n_atoms, torch.device("cpu"))
    covered = [sample for block in blocks for sample in range(n_samples)[block]]
    assert covered == list(range(n_samples))
    assert all(block.stop > block.start for block in blocks)


@pytest.mark.parametrize("n_atoms", [5, 30])
def test_dead_atoms_and_dead_dictionaries_give_zeros(n_atoms):
    observations, dictionary = problem(2, 4, 6, n_atoms)
    dictionary[0, :, 2] = 0
    dictionary[1] = 0
    for non_negative in (True, False):
        codes = fista(observations, dictionary, LAM, 50, non_negative=non_negative)
        assert codes.isfinite().all() and codes[0].any()
        assert not codes[0, :, 2].any() and not codes[1].any()
    pursued = matching_pursuit(observations, dictionary, 2)
    assert pursued.isfinite().all() and pursued[0].any()
    assert not pursued[0, :, 2].any() and not pursued[1].any()


@settings(deadline=None, max_examples=15)
@given(sizes, st.data())
def test_pursuit_takes_k_distinct_atoms_and_its_residual_never_grows(size, data):
    observations, dictionary = problem(*size)
    observations += 0.1 * torch.randn(observations.shape, dtype=torch.float64)
    k = data.draw(st.integers(1, size[3]))
    unit = unit_columns(dictionary)
    before, codes_before = observations.norm(dim=2), torch.zeros(1)
    for count in range(1, k + 1):
        codes = matching_pursuit(observations, 3 * dictionary, count)
        assert (codes.count_nonzero(dim=2) <= count).all()
        changed = (codes - codes_before).abs() > 1e-9
        assert (changed.count_nonzero(dim=2) <= 1).all(), "earlier codes stay"
        after = (observations - codes @ unit.mT).norm(dim=2)
        assert (after <= before + 1e-9).all()
        before, codes_before = after, codes


@pytest.mark.parametrize("n_samples", [1, 40], ids=["computed rows", "stored rows"])
def test_pursuit_is_the_literal_algorithm(n_samples):
    observations, dictionary = problem(2, n_samples, 6, 20)
    observations += 0.1
    codes = matching_pursuit(observations, dictionary, 4)
    assert (codes.count_nonzero(dim=2) == 4).all()
    for seed in range(2):
        for sample in range(n_samples):
            residual, expected = observations[seed, sample].clone(), torch.zeros(20).double()
            for _ in range(4):
                correlations = dictionary[seed].T @ residual
                free = torch.where(expected == 0, correlations.abs(), -1)
                atom = int(free.argmax())
                expected[atom] = correlations[atom]
                residual -= correlations[atom] * dictionary[seed, :, atom]
            torch.testing.assert_close(codes[seed, sample], expected)


def test_pursuit_takes_the_first_of_equal_atoms():
    dictionary = torch.tensor([[[0.0, 2.0, -1.0, 1.0], [1.0, 0.0, 0.0, 0.0]]])
    codes = matching_pursuit(torch.tensor([[[3.0, 1.0]]]), dictionary, 2)
    assert codes.tolist() == [[[1.0, 3.0, 0.0, 0.0]]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda y, d: fista(y[0], d, LAM, 1), "must share seed and obs"),
        (lambda y, d: fista(y[:1], d, LAM, 1), "must share seed and obs"),
        (lambda y, d: fista(y, d[:, 1:], LAM, 1), "must share seed and obs"),
        (lambda y, d: fista(y, d, -1.0, 1), "lam must be a number of at least 0, got -1.0"),
        (lambda y, d: fista(y, d, math.nan, 1), "lam must be"),
        (lambda y, d: fista(y, d, LAM, -1), "n_iter must be an integer of at least 0, got -1"),
        (lambda y, d: ista(y, d, LAM, -1), "n_iter must be an integer of at least 0, got -1"),
        (lambda y, d: fista_snapshots(y, d, LAM, ()), "counts must be increasing"),
        (lambda y, d: fista_snapshots(y, d, LAM, (0, 5, 5)), r"got \(0, 5, 5\)"),
        (lambda y, d: fista_snapshots(y, d, LAM, (-1, 5)), r"counts\[0\] must be an integer"),
        (lambda y, d: list(lasso_path(y, d, (0.1, -0.2), 5)), "lam must be"),
        (lambda y, d: fista(y, d, LAM, 1, start=y), "start must have shape"),
        (lambda y, d: matching_pursuit(y, d, 0), "k must be a positive integer, got 0"),
        (lambda y, d: matching_pursuit(y, d, 13), "k must be at most the number of atoms, 12"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(*problem(2, 3, 5, 12))
