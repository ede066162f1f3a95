"""The exact lasso solver, on both of its paths."""

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from benchmarks.harness import limited_threads
from sae_surgery.inference import exact_batched, exact_blocks
from sae_surgery.inference.exact import exact_lasso, exact_path
from sae_surgery.inference.fista import duality_gap, lasso_objective
from sae_surgery.inference.sparse import SparseCodes

LAM = 0.1
CERTAIN = 1e-12
"""A tolerance near the rounding errors of double precision."""

sizes = st.tuples(st.integers(1, 2), st.integers(1, 20), st.integers(2, 9), st.integers(2, 40))
"""Seeds, samples, observed dimensions, atoms: more and fewer atoms than dimensions."""


@pytest.fixture(params=["kernels", "batched"])
def path(request, monkeypatch):
    """Solve on either path; the batched one is for GPUs, but runs anywhere."""
    if request.param == "batched":
        monkeypatch.setattr(exact_blocks, "solve", exact_batched.solve)
    return request.param


def problem(n_seeds: int, n_samples: int, obs_dim: int, n_atoms: int, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    draw = {"generator": generator, "dtype": torch.float64}
    dictionary = torch.randn(n_seeds, obs_dim, n_atoms, **draw)
    dictionary /= dictionary.norm(dim=1, keepdim=True)
    return torch.randn(n_seeds, n_samples, obs_dim, **draw), dictionary


def best_of_all_supports(y: Tensor, atoms: Tensor, weights: Tensor, signed: bool) -> Tensor:
    """Solve for one sample by trying all supports and signs; atoms (obs, atom), independent."""
    best, least = torch.zeros_like(weights), y.square().sum() / 2
    choices = (-1.0, 0.0, 1.0) if signed else (0.0, 1.0)
    for chosen in product(choices, repeat=len(weights)):
        signs = torch.tensor(chosen, dtype=y.dtype)
        active = signs != 0
        columns = atoms[:, active] * signs[active]
        magnitudes = torch.linalg.solve(columns.T @ columns, columns.T @ y - weights[active])
        codes = torch.zeros_like(weights)
        codes[active] = signs[active] * magnitudes
        objective = (y - atoms @ codes).square().sum() / 2 + weights @ codes.abs()
        if (magnitudes >= 0).all() and objective < least:
            best, least = codes, objective
    return best


@pytest.mark.parametrize("signed", [False, True], ids=["non-negative", "signed"])
@pytest.mark.parametrize("lam", [0.01, 0.1, 1.0])
def test_codes_are_the_best_of_all_supports(path, lam, signed):
    observations, dictionary = problem(2, 3, 7, 6)
    solution = exact_lasso(observations, dictionary, lam, None, not signed, CERTAIN)
    weights = torch.full((6,), lam, dtype=torch.float64)
    for seed in range(2):
        for sample in range(3):
            y = observations[seed, sample]
            expected = best_of_all_supports(y, dictionary[seed], weights, signed)
            codes = solution.dense()[seed, sample]
            torch.testing.assert_close(codes, expected, atol=1e-8, rtol=1e-8)


@settings(deadline=None, max_examples=25)
@given(sizes, st.sampled_from([1e-3, 0.05, 0.5, 3.0]), st.booleans(), st.booleans())
def test_codes_meet_the_kkt_conditions(size, lam, non_negative, batched):
    observations, dictionary = problem(*size)
    solve = exact_batched.solve if batched else exact_blocks.solve
    for y, atoms in zip(observations, dictionary, strict=True):
        weights = torch.full((size[3],), lam, dtype=torch.float64)
        solved = solve(y, atoms, weights, None, non_negative, CERTAIN, 1000)
        assert (solved[3] <= CERTAIN).all()
        codes = SparseCodes(solved[0][None], *solved[1:3], size[3]).dense()[0]
        correlations = (y - codes @ atoms.T) @ atoms
        active = codes != 0
        torch.testing.assert_close(
            correlations[active], lam * codes.sign()[active], atol=1e-9, rtol=1e-9
        )
        assert ((correlations if non_negative else correlations.abs()) <= lam + 1e-6).all()
        assert not non_negative or (codes >= 0).all()


@pytest.mark.parametrize("non_negative", [True, False], ids=["non-negative", "signed"])
@pytest.mark.parametrize("max_rounds", [1, 2, 3, 100])
def test_the_gap_bounds_the_excess_and_is_that_of_the_definition(path, max_rounds, non_negative):
    observations, dictionary = problem(2, 30, 10, 60)
    minimum = exact_lasso(observations, dictionary, LAM, None, non_negative, CERTAIN)
    found = exact_lasso(observations, dictionary, LAM, None, non_negative, 1e-6, max_rounds)
    codes = found.dense()
    objective = lasso_objective(observations, dictionary, codes, LAM)
    least = lasso_objective(observations, dictionary, minimum.dense(), LAM)
    assert (found.gap * objective >= objective - least - 1e-12).all()
    expected = duality_gap(observations, dictionary, codes, LAM, non_negative) / objective
    # A list that does not hold all violating atoms makes the bound larger, never smaller.
    assert (found.gap >= expected - 1e-12).all()
    if max_rounds == 100:
        torch.testing.assert_close(found.gap, expected, atol=1e-10, rtol=0)


def test_samples_that_miss_the_tolerance_are_reported(path):
    observations, dictionary = problem(2, 30, 10, 60)
    observations[0, 3] = 0
    stopped = exact_lasso(observations, dictionary, LAM, max_rounds=1)
    certain = torch.zeros(2, 30, dtype=torch.bool)
    certain[0, 3] = True
    assert (stopped.missed == ~certain).all()
    assert not stopped.values.numel() and (stopped.n_rounds == 1).all()
    assert not exact_lasso(observations, dictionary, LAM).missed.any()


@pytest.mark.parametrize("non_negative", [True, False], ids=["non-negative", "signed"])
def test_weights_are_a_change_of_units_of_the_atoms(path, non_negative):
    observations, dictionary = problem(2, 12, 9, 30)
    weights = torch.linspace(0.05, 2, 60, dtype=torch.float64).view(2, 30)
    weighted = exact_lasso(observations, dictionary, weights, None, non_negative, CERTAIN)
    rescaled = exact_lasso(
        observations, dictionary / weights[:, None], 1.0, None, non_negative, CERTAIN
    )
    expected = rescaled.dense() / weights[:, None]
    torch.testing.assert_close(weighted.dense(), expected, atol=1e-9, rtol=1e-9)


def test_signed_codes_are_non_negative_ones_of_both_signs_of_each_atom(path):
    observations, dictionary = problem(2, 12, 9, 30)
    signed = exact_lasso(observations, dictionary, LAM, None, False, CERTAIN)
    both = torch.cat([dictionary, -dictionary], 2)
    positive, negative = (
        exact_lasso(observations, both, LAM, None, True, CERTAIN).dense().chunk(2, 2)
    )
    torch.testing.assert_close(signed.dense(), positive - negative, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("non_negative", [True, False], ids=["non-negative", "signed"])
def test_a_start_at_the_solution_stays_there(path, non_negative):
    observations, dictionary = problem(2, 40, 12, 80)
    cold = exact_lasso(observations, dictionary, LAM, None, non_negative)
    warm = exact_lasso(observations, dictionary, LAM, cold, non_negative)
    assert (warm.n_rounds == 1).all()
    torch.testing.assert_close(warm.dense(), cold.dense())


def test_any_start_leads_to_the_solution(path):
    observations, dictionary = problem(2, 20, 12, 80)
    generator = torch.Generator().manual_seed(1)
    start = torch.randn(2, 20, 80, generator=generator, dtype=torch.float64)
    cold = exact_lasso(observations, dictionary, LAM, None, True, CERTAIN)
    warm = exact_lasso(observations, dictionary, LAM, SparseCodes.pack(start), True, CERTAIN)
    torch.testing.assert_close(warm.dense(), cold.dense(), atol=1e-8, rtol=1e-8)


def test_equal_and_dependent_and_zero_atoms(path):
    observations, dictionary = problem(1, 30, 6, 20)
    dictionary = torch.cat(
        [dictionary, dictionary[..., :10], dictionary.roll(1, 2) + dictionary], 2
    )
    dictionary[..., 5] = 0
    weights = torch.linspace(0.2, 0.05, 50, dtype=torch.float64)[None]
    solution = exact_lasso(observations, dictionary, weights, None, True, CERTAIN)
    assert not solution.missed.any()
    assert not solution.dense()[..., 5].any()
    # Of equal atoms the one of smaller weight, here the second, takes all.
    assert not solution.dense()[..., [0, 1, 2, 3, 4, 6, 7, 8, 9]].any()
    starts = SparseCodes.pack(torch.ones_like(solution.dense()))
    again = exact_lasso(observations, dictionary, weights, starts, True, CERTAIN)
    torch.testing.assert_close(again.dense(), solution.dense(), atol=1e-8, rtol=1e-8)


def test_above_the_largest_correlation_codes_are_zero(path):
    observations, dictionary = problem(2, 12, 9, 30)
    largest = (observations @ dictionary).amax().item()
    assert not exact_lasso(observations, dictionary, largest * 1.0001).values.numel()
    assert exact_lasso(observations, dictionary, largest * 0.9).values.numel()


def test_a_tiny_weight_interpolates(path):
    observations, dictionary = problem(1, 12, 9, 60)
    solution = exact_lasso(observations, dictionary, 1e-7)
    assert not solution.missed.any()
    assert ((solution.dense() @ dictionary.mT - observations).norm(dim=2) < 1e-5).all()


def test_a_tiny_weight_beside_a_large_residual_is_certified(path):
    observations, dictionary = problem(1, 12, 40, 6)
    solution = exact_lasso(1e4 * observations, dictionary, 1e-4, None, False)
    assert not solution.missed.any()
    least_squares = torch.linalg.lstsq(dictionary, 1e4 * observations.mT).solution.mT
    torch.testing.assert_close(solution.dense(), least_squares, atol=1e-2, rtol=1e-6)


def test_single_precision_is_solved_as_its_numbers_are(path):
    observations, dictionary = (part.float() for part in problem(2, 20, 12, 80))
    single = exact_lasso(observations, dictionary, LAM, None, True, CERTAIN)
    double = exact_lasso(observations.double(), dictionary.double(), LAM, None, True, CERTAIN)
    torch.testing.assert_close(single.dense(), double.dense(), atol=1e-9, rtol=1e-9)
    assert single.dense(torch.float32).dtype == torch.float32


def test_more_active_atoms_than_there_is_memory_for_at_first(path):
    observations, dictionary = problem(1, 5, 120, 150)
    solution = exact_lasso(observations, dictionary, 1e-3, None, False)
    assert solution.counts.max() > exact_blocks.CAPACITY
    assert not solution.missed.any()


def test_more_violating_atoms_than_can_wait(path, monkeypatch):
    observations, dictionary = problem(1, 20, 12, 80)
    expected = exact_lasso(observations, dictionary, LAM, None, True, CERTAIN)
    monkeypatch.setattr(exact_blocks, "N_WAITING", 4)
    monkeypatch.setattr(exact_blocks, "TILE_ATOMS", 7)
    found = exact_lasso(observations, dictionary, LAM, None, True, CERTAIN)
    torch.testing.assert_close(found.dense(), expected.dense(), atol=1e-9, rtol=1e-9)


def test_a_path_is_solved_at_each_weight(path):
    observations, dictionary = problem(2, 12, 9, 30)
    lams = [0.05, 0.5, 0.1]
    points = dict(exact_path(observations, dictionary, lams, tolerance=CERTAIN))
    assert list(points) == [0.5, 0.1, 0.05]
    for lam, solution in points.items():
        alone = exact_lasso(observations, dictionary, lam, None, True, CERTAIN)
        torch.testing.assert_close(solution.dense(), alone.dense(), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_seed_does_not_feel_the_others(path, dtype):
    observations, dictionary = (part.to(dtype) for part in problem(3, 50, 13, 61))
    together = exact_lasso(observations, dictionary, LAM)
    warm = exact_lasso(observations, dictionary.roll(1, 2), LAM, together)
    for seed in range(3):
        own = slice(seed, seed + 1)
        alone = exact_lasso(observations[own], dictionary[own], LAM)
        assert torch.equal(alone.dense()[0], together.dense()[seed])
        assert torch.equal(alone.gap[0], together.gap[seed])
        alone = exact_lasso(observations[own], dictionary[own].roll(1, 2), LAM, alone)
        assert torch.equal(alone.dense()[0], warm.dense()[seed])


def test_the_number_of_threads_changes_nothing():
    observations, dictionary = problem(1, 200, 13, 61)
    solutions = []
    for count in (1, 3):
        with limited_threads(count):
            solutions.append(exact_lasso(observations, dictionary, LAM))
            assert torch.get_num_threads() == count
    assert torch.equal(solutions[0].dense(), solutions[1].dense())
    assert torch.equal(solutions[0].gap, solutions[1].gap)


def test_sparse_codes_keep_what_they_are_given():
    generator = torch.Generator().manual_seed(0)
    codes = torch.randn(3, 5, 8, generator=generator, dtype=torch.float64).clamp(min=0.5) - 0.5
    codes[1, 2] = 0
    packed = SparseCodes.pack(codes)
    assert torch.equal(packed.dense(), codes)
    counts, atoms, values = packed.of_seed(1)
    assert torch.equal(counts, codes[1].count_nonzero(dim=1))
    assert torch.equal(values, codes[1][codes[1] != 0])
    assert torch.equal(atoms, codes[1].nonzero()[:, 1])
    codes[:, :, [2, 5]] = 0
    assert torch.equal(packed.without(torch.tensor([5, 2])).dense(), codes)
    nothing = SparseCodes.none(5, 8, torch.device("cpu"))
    assert torch.equal(nothing.dense(), torch.zeros(1, 5, 8, dtype=torch.float64))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"weights": 0.0}, "weights must be a positive number"),
        ({"weights": torch.zeros(1, 6)}, "weights must be from 1e-30"),
        ({"weights": torch.ones(1, 5)}, r"weights must have shape \(1, 6\)"),
        ({"observations": torch.ones(1, 3, 5).double()}, "must share seed and obs"),
        ({"observations": torch.ones(1, 3, 4)}, "both be float32 or both float64"),
        (
            {"observations": torch.full((1, 3, 4), torch.nan).double()},
            "observations must be finite",
        ),
        ({"dictionary": torch.full((1, 4, 6), torch.inf).double()}, "dictionary must be finite"),
        ({"start": SparseCodes.pack(torch.ones(1, 2, 6))}, r"start must be of .* \(1, 3, 6\)"),
        ({"observations": torch.ones(1, 0, 4).double()}, "n_samples must be a positive"),
        ({"tolerance": -1.0}, "tolerance must be"),
        ({"max_rounds": 0}, "max_rounds must be"),
    ],
)
def test_bad_input_is_refused(changed, message):
    observations, dictionary = problem(1, 3, 4, 6)
    given = {"observations": observations, "dictionary": dictionary, "weights": LAM} | changed
    with pytest.raises(ValueError, match=message):
        exact_lasso(**given)
