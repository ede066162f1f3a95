"""The exact solver of GPUs, run on the CPU beside that of CPUs, where problems are degenerate."""

import pytest
import torch

from sae_surgery.inference import exact_batched, exact_blocks

N_SAMPLES, OBS_DIM, N_ATOMS, LAM = 40, 8, 12, 0.1


def problem(scales):
    drawn = torch.Generator().manual_seed(0)
    dictionary = torch.randn(OBS_DIM, N_ATOMS, generator=drawn, dtype=torch.float64)
    dictionary = dictionary / dictionary.norm(dim=0) * scales
    return torch.randn(N_SAMPLES, OBS_DIM, generator=drawn, dtype=torch.float64), dictionary


def start_everywhere():
    atoms = torch.arange(N_ATOMS).repeat(N_SAMPLES)
    values = torch.full((len(atoms),), 0.3, dtype=torch.float64)
    return torch.full((N_SAMPLES,), N_ATOMS), atoms, values


def ones(**changed):
    scales = torch.ones(N_ATOMS, dtype=torch.float64)
    for place, scale in changed.items():
        scales[int(place[1:])] = scale
    return scales


SCALES = {
    "usual": ones(),
    "a zero atom": ones(_3=0.0),
    "all zero": 0 * ones(),
    "one of 1e-46": ones(_3=1e-46),
    "a denormal one": ones(_3=1e-310),
    "twelve orders": torch.logspace(-6, 6, N_ATOMS, dtype=torch.float64),
}


@pytest.mark.parametrize("start", [None, start_everywhere()], ids=["cold", "warm"])
@pytest.mark.parametrize("scales", SCALES.values(), ids=SCALES)
def test_degenerate_atoms_are_solved_for_and_certified(scales, start):
    observations, dictionary = problem(scales)
    weights = torch.full((N_ATOMS,), LAM, dtype=torch.float64)
    given = observations, dictionary, weights, start, True, 1e-6, 1000
    solved = []
    for solver in (exact_batched, exact_blocks):
        counts, atoms, values, gap, _ = solver.solve(*given)
        assert gap.max() <= 1e-6
        codes = torch.zeros(N_SAMPLES, N_ATOMS, dtype=torch.float64)
        codes[torch.arange(N_SAMPLES).repeat_interleave(counts), atoms] = values.double()
        residual = observations - codes @ dictionary.T
        solved.append(residual.square().sum(1) / 2 + LAM * codes.sum(1))
    torch.testing.assert_close(*solved, rtol=3e-6, atol=1e-12)


def test_a_duplicated_atom_is_solved_for_too():
    observations, dictionary = problem(ones())
    dictionary[:, 5] = dictionary[:, 2]
    weights = torch.full((N_ATOMS,), LAM, dtype=torch.float64)
    gap = exact_batched.solve(
        observations, dictionary, weights, start_everywhere(), True, 1e-6, 1000
    )[3]
    assert gap.max() <= 1e-6
