"""Both exact solvers at the ends of what they take: right and certified, or said to be missed."""

import numpy as np
import pytest
import torch

from sae_surgery.inference import exact_batched, exact_blocks
from sae_surgery.inference.exact import exact_lasso

N_SAMPLES, OBS_DIM, N_ATOMS = 6, 8, 12
TOLERANCE = 1e-6
SCALES = {
    "usual": torch.ones(N_ATOMS),
    "one of 1e-46": torch.where(torch.arange(N_ATOMS) == 3, 1e-46, torch.ones(N_ATOMS).double()),
    "twelve orders": torch.logspace(-6, 6, N_ATOMS, dtype=torch.float64),
    "1e29": torch.full((N_ATOMS,), 1e29),
}
CERTIFIED = {
    ("usual", 0.1),
    ("usual", 1e30),
    ("one of 1e-46", 0.1),
    ("one of 1e-46", 1e30),
    ("twelve orders", 0.1),
    ("twelve orders", 1e30),
}
"""Elsewhere double precision cannot tell the optimum from its neighbours."""


def problem(scales, dtype):
    drawn = torch.Generator().manual_seed(0)
    dictionary = torch.randn(OBS_DIM, N_ATOMS, generator=drawn, dtype=torch.float64)
    dictionary = dictionary / dictionary.norm(dim=0) * scales
    observations = torch.randn(N_SAMPLES, OBS_DIM, generator=drawn, dtype=torch.float64)
    return observations.to(dtype), dictionary.to(dtype)


def least_objective(observations, dictionary, lam):
    """Return the least objective (sample,) by coordinate descent over unit atoms."""
    lengths = np.linalg.norm(dictionary, axis=0)
    lengths[lengths == 0] = 1
    atoms, weights = dictionary / lengths, lam / lengths
    gram, found = atoms.T @ atoms, []
    for sample in observations:
        codes = np.zeros(N_ATOMS)
        for _ in range(5000):
            before = codes.copy()
            for j in np.flatnonzero(gram.diagonal()):
                pull = atoms[:, j] @ sample - gram[j] @ codes + gram[j, j] * codes[j] - weights[j]
                codes[j] = max(0, pull / gram[j, j])
            if np.array_equal(codes, before):
                break
        found.append(np.square(sample - atoms @ codes).sum() / 2 + weights @ codes)
    return np.array(found)


@pytest.mark.parametrize("solver", [exact_batched, exact_blocks])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("lam", [1e-30, 1e-12, 0.1, 1e30])
@pytest.mark.parametrize("scales", SCALES)
def test_the_gap_bounds_what_the_codes_miss(solver, dtype, lam, scales):
    observations, dictionary = problem(SCALES[scales], dtype)
    weights = torch.full((N_ATOMS,), lam, dtype=torch.float64)
    given = observations, dictionary, weights, None, True, TOLERANCE, 200
    counts, atoms, values, gap, _ = solver.solve(*given)
    codes = torch.zeros(N_SAMPLES, N_ATOMS, dtype=torch.float64)
    codes[torch.arange(N_SAMPLES).repeat_interleave(counts), atoms] = values.double()
    residual = observations.double() - codes @ dictionary.double().T
    reached = (residual.square().sum(1) / 2 + lam * codes.sum(1)).numpy()
    least = least_objective(observations.double().numpy(), dictionary.double().numpy(), lam)
    assert codes.min() >= 0
    assert not gap.isnan().any()
    assert (reached - least <= gap.numpy() * reached + 1e-9 * least + 1e-15).all()
    if (scales, lam) in CERTIFIED:
        assert gap.max() <= TOLERANCE
        np.testing.assert_allclose(reached, least, rtol=2e-6, atol=1e-12)


@pytest.mark.parametrize(
    ("observations", "weights", "said"),
    [
        (torch.zeros(1, 0, OBS_DIM), 0.1, "n_samples must be a positive integer, got 0"),
        (torch.full((1, 2, OBS_DIM), torch.nan), 0.1, "observations must be finite"),
        (torch.full((1, 2, OBS_DIM), torch.inf), 0.1, "observations must be finite"),
        (torch.ones(1, 2, OBS_DIM), 0.0, "weights must be a positive number"),
        (torch.ones(1, 2, OBS_DIM), 1e-44, "weights must be from 1e-30 to 1e"),
        (torch.ones(1, 2, OBS_DIM), 1e44, "weights must be from 1e-30 to 1e"),
    ],
)
def test_what_cannot_be_solved_is_refused(observations, weights, said):
    with pytest.raises(ValueError, match=said):
        exact_lasso(observations, torch.ones(1, OBS_DIM, N_ATOMS), weights)


@pytest.mark.parametrize("solver", [exact_batched, exact_blocks])
def test_observations_of_zero_have_codes_of_zero(solver):
    _, dictionary = problem(SCALES["usual"], torch.float32)
    weights = torch.full((N_ATOMS,), 0.1, dtype=torch.float64)
    given = torch.zeros(4, OBS_DIM), dictionary, weights, None, True, TOLERANCE, 200
    counts, _, values, gap, _ = solver.solve(*given)
    assert counts.tolist() == [0] * 4
    assert not len(values)
    assert gap.tolist() == [0.0] * 4
