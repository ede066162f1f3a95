"""Cells and the sampler: the data must be the published data to the last bit."""

import re
import subprocess
import sys
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sae_surgery.problems.laws.sampling import (
    dense_codes,
    draw_codes,
    draw_dictionary,
    labels,
    observe,
    spread_norms,
)
from sae_surgery.problems.laws.sizes import clipped_dim, compressed_sensing_dim
from sae_surgery.problems.paper import CELL_PATTERN, Cell


class Sample(NamedTuple):
    """What one seed draws of a cell."""

    dictionary: np.ndarray
    support: np.ndarray
    magnitude: np.ndarray


def draw(cell, seed):
    stream = np.random.RandomState(seed)
    return Sample(
        draw_dictionary(cell, stream), *draw_codes(cell, cell.n_samples, cell.n_ood, stream)
    )


def literal_protocol(n, k, m, n_samples, seed):
    """Section 1 of the protocol word for word; returns A, dense Z in order, and the stream."""
    stream = np.random.RandomState(seed)
    dictionary = stream.normal(0, 1, (m, n))
    dictionary = dictionary / np.linalg.norm(dictionary, axis=0, keepdims=True)
    n_ood = n // 2
    supports, rows = [], []
    for _ in range(n_samples):
        if stream.binomial(1, 0.5) == 1:
            others = stream.choice(np.arange(1, n - n_ood), k - 1, replace=False)
            indices = np.concatenate([[0], others])
        else:
            indices = stream.choice(np.arange(1, n), k, replace=False)
        supports.append(indices)
        rows.append(stream.uniform(0, 1, k))
    for _ in range(n_samples // 2):
        others = stream.choice(np.arange(n - n_ood, n), k - 1, replace=False)
        supports.append(np.concatenate([[0], others]))
        rows.append(stream.uniform(0, 1, k))
    return dictionary, np.array(supports), np.array(rows), stream


@st.composite
def cells(draw_value, max_latents=40):
    n_latents = draw_value(st.integers(2, max_latents))
    k = draw_value(st.integers(1, n_latents - n_latents // 2))
    obs_dim = draw_value(st.integers(1, n_latents))
    return Cell(n_latents, k, obs_dim, draw_value(st.integers(2, 25)))


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    "name",
    [
        "n50_k10_m33_s200",
        "n1000_k10_m93_s60",
        "n101_k7_m38_s75",
        "n20_k10_m14_s33",
        "n9_k1_m5_s21",
        "n2_k1_m2_s9",
        "n3000_k100_m681_s11",
    ],
)
def test_draws_are_those_of_the_protocol_to_the_last_bit(name, seed):
    cell = Cell.parse(name)
    dictionary, support, magnitude, stream = literal_protocol(
        cell.n_latents, cell.k, cell.obs_dim, cell.n_samples, seed
    )
    sample = draw(cell, seed)
    assert sample.dictionary.tobytes() == dictionary.tobytes()
    np.testing.assert_array_equal(sample.support, support)
    assert sample.magnitude.tobytes() == magnitude.tobytes()
    assert sample.support.dtype == np.int32

    ours = np.random.RandomState(seed)
    draw_dictionary(cell, ours)
    draw_codes(cell, cell.n_samples, cell.n_ood, ours)
    assert ours.random_sample(3).tobytes() == stream.random_sample(3).tobytes()


@settings(deadline=None, max_examples=40)
@given(cell=cells(), seed=st.integers(0, 2**32 - 1))
def test_any_feasible_cell_is_drawn_as_the_protocol_says(cell, seed):
    sample = draw(cell, seed)
    dictionary, support, magnitude, _ = literal_protocol(
        cell.n_latents, cell.k, cell.obs_dim, cell.n_samples, seed
    )
    assert sample.dictionary.tobytes() == dictionary.tobytes()
    np.testing.assert_array_equal(sample.support, support)
    assert sample.magnitude.tobytes() == magnitude.tobytes()


@settings(deadline=None, max_examples=40)
@given(cell=cells(), seed=st.integers(0, 100))
def test_unequal_norms_change_norms_and_nothing_else(cell, seed):
    unequal, equal = draw(replace(cell, norm_ratio=4), seed), draw(cell, seed)
    norms = np.linalg.norm(unequal.dictionary, axis=0)
    assert norms.min() > 0.5 - 1e-12 and norms.max() < 2
    np.testing.assert_allclose(unequal.dictionary / norms, equal.dictionary, atol=1e-12)
    np.testing.assert_array_equal(unequal.support, equal.support)
    np.testing.assert_array_equal(unequal.magnitude, equal.magnitude)


def test_unequal_norms_are_spread_alike_in_and_out_of_distribution():
    cell = Cell(n_latents=100, k=10, obs_dim=47, n_samples=2, norm_ratio=9)
    halves = np.log(spread_norms(cell.n_latents, cell.norm_ratio)).reshape(2, -1)
    assert np.ptp(halves, axis=1) == pytest.approx(np.log(9), rel=0.1)
    assert halves.mean(axis=1) == pytest.approx(0, abs=0.05)


@settings(deadline=None, max_examples=40)
@given(cell=cells(), seed=st.integers(0, 100))
def test_pairs_with_latent_0_out_of_distribution_never_occur_in_distribution(cell, seed):
    support = draw(cell, seed).support
    assert support.shape == (cell.n_train + cell.n_val + cell.n_ood, cell.k)
    assert all(len(set(row)) == cell.k for row in support.tolist())

    leads = (support == 0).any(axis=1)
    in_distribution = np.arange(len(support)) < cell.n_samples
    assert leads[~in_distribution].all()
    paired = set(support[in_distribution & leads].ravel().tolist())
    unseen = set(support[~in_distribution].ravel().tolist())
    assert paired & unseen <= {0}
    assert unseen - {0} <= set(range(cell.n_latents - cell.n_ood_pool, cell.n_latents))


def test_latent_0_leads_about_half_of_the_samples_in_distribution():
    cell = Cell(100, 10, 47, 2000)
    leads = (draw(cell, 0).support[: cell.n_samples] == 0).any(axis=1)
    assert abs(leads.mean() - 0.5) < 4 * 0.5 / np.sqrt(cell.n_samples)


def test_seeds_differ():
    cell = Cell(50, 5, 24, 20)
    one, other = draw(cell, 1), draw(cell, 2)
    assert not np.array_equal(one.dictionary, other.dictionary)
    assert not np.array_equal(one.support, other.support)


@settings(deadline=None, max_examples=40)
@given(cell=cells(), seed=st.integers(0, 100))
def test_observations_are_the_product_of_dense_codes_and_dictionary(cell, seed):
    dictionary, support, magnitude = draw(cell, seed)
    observations = observe(dictionary, support, magnitude)
    product = dense_codes(support, magnitude, cell.n_latents) @ dictionary.T
    np.testing.assert_allclose(observations, product, rtol=0, atol=1e-15 * cell.k**2)


def test_an_observation_does_not_depend_on_the_samples_beside_it():
    dictionary, support, magnitude = draw(Cell(200, 10, 60, 100), 0)
    together = observe(dictionary, support, magnitude)
    alone = np.concatenate(
        [observe(dictionary, support[i : i + 1], magnitude[i : i + 1]) for i in range(150)]
    )
    assert together.tobytes() == alone.tobytes()


@settings(deadline=None, max_examples=40)
@given(cell=cells(), seed=st.integers(0, 100))
def test_labels_say_whether_latent_0_is_above_one_half(cell, seed):
    _, support, magnitude = draw(cell, seed)
    codes = dense_codes(support, magnitude, cell.n_latents)
    np.testing.assert_array_equal(labels(support, magnitude), codes[:, 0] > 0.5)


def test_dense_codes_hold_the_magnitudes_and_zeros_elsewhere():
    codes = dense_codes(np.array([[2, 0], [1, 3]]), np.array([[0.25, 0.75], [0.5, 1.0]]), 4)
    np.testing.assert_array_equal(codes, [[0.75, 0, 0.25, 0], [0, 0.5, 0, 1.0]])


@settings(deadline=None)
@given(cell=cells(10**6))
def test_a_cell_is_read_back_from_its_name(cell):
    assert Cell.parse(cell.name) == cell
    assert re.fullmatch(CELL_PATTERN, cell.name)


def test_the_name_spells_out_the_sizes():
    assert Cell(1000, 10, 93, 5000).name == "n1000_k10_m93_s5000"
    unequal = Cell(1000, 10, 93, 5000, norm_ratio=4)
    assert unequal.name == "n1000_k10_m93_s5000_r4"
    assert Cell.parse(unequal.name) == unequal


@pytest.mark.parametrize(
    "name",
    [
        "",
        "n1000_k10_m93",
        "n1000_k10_m93_s5000.nc",
        "N1000_k10_m93_s5000",
        "n01000_k10_m93_s5000",
        "n1000_k10_m93_s-5",
        "n1000_k10_m93_s5000\n",
        "n1000_k0_m93_s5000",
        "n1000_k10_m93_s5000_r",
        "n1000_k10_m93_s5000_r0",
        "n1٢_k1_m2_s5",
    ],
)
def test_nonsense_names_are_refused(name):
    with pytest.raises(ValueError, match=r"must look like n1000_k10_m93_s5000.*got"):
        Cell.parse(name)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((0, 1, 1, 10), "n_latents must be a positive integer, got 0"),
        ((10, -2, 5, 10), "k must be a positive integer, got -2"),
        ((10, 2, 5.0, 10), "obs_dim must be a positive integer, got 5.0"),
        ((10, 2, 5, True), "n_samples must be a positive integer, got True"),
        ((10, 2, 5, 1), "n_samples must be at least 2 .*, got 1"),
        ((1, 1, 1, 10), "n_latents must be at least 2 .*, got 1"),
        ((10, 2, 11, 10), r"obs_dim must be at most n_latents = 10 \(superposition\), got 11"),
        ((10, 6, 8, 10), "k must be at most 5 at n_latents = 10: .* the 4 others .*; got 6"),
        ((11, 7, 8, 10), "k must be at most 6 at n_latents = 11: .* the 5 others .*; got 7"),
        ((10, 10, 10, 10), "k must be at most 5 at n_latents = 10: .*; got 10"),
    ],
)
def test_infeasible_cells_say_what_is_wrong_and_what_is_allowed(sizes, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Cell(*sizes)


@given(n_latents=st.integers(2, 30), k=st.integers(1, 30))
def test_a_cell_is_refused_exactly_when_the_protocol_cannot_draw_it(n_latents, k):
    try:
        Cell(n_latents, k, 1, 2)
        accepted = True
    except ValueError:
        accepted = False
    n_ood = n_latents // 2
    pools = [
        (np.arange(1, n_latents - n_ood), k - 1),
        (np.arange(1, n_latents), k),
        (np.arange(n_latents - n_ood, n_latents), k - 1),
    ]
    assert accepted == all(size <= len(pool) for pool, size in pools)


@pytest.mark.parametrize("n_samples", [2, 5, 100, 101])
def test_splits_share_the_samples(n_samples):
    cell = Cell(10, 2, 5, n_samples)
    assert cell.n_train + cell.n_val == n_samples
    assert (cell.n_train, cell.n_ood) == (n_samples // 2, n_samples // 2)


@pytest.mark.parametrize(
    ("n_latents", "k", "obs_dim"),
    [
        (50, 10, 33),
        (1000, 10, 93),
        (1000, 100, 461),
        (10000, 10, 139),
        (1000000, 10, 231),
        (10, 10, 11),
        (10, 8, 9),
    ],
)
def test_compressed_sensing_dim(n_latents, k, obs_dim):
    assert compressed_sensing_dim(n_latents, k) == obs_dim


@pytest.mark.parametrize(
    ("n_latents", "k", "c", "obs_dim"),
    [(50, 10, 0.5, 9), (200, 3, 0.5, 7), (100, 5, 3, 45), (50, 10, 6, 50), (10, 10, 2, 1)],
)
def test_clipped_dim(n_latents, k, c, obs_dim):
    assert clipped_dim(n_latents, k, c) == obs_dim


@given(st.integers(1, 10**6), st.integers(1, 1000), st.floats(0.01, 10))
def test_the_two_dims_differ_only_in_their_limits(n_latents, k, c):
    clipped, sensing = clipped_dim(n_latents, k, c), compressed_sensing_dim(n_latents, k, c)
    assert max(k + 1, clipped) == min(max(k + 1, n_latents), sensing)


@pytest.mark.parametrize("dim", [compressed_sensing_dim, clipped_dim])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 2, 2.0), "n_latents must be a positive integer, got 0"),
        ((10, 0, 2.0), "k must be a positive integer, got 0"),
        ((10, 2, 0.0), "c must be a positive number, got 0.0"),
        ((10, 2, float("nan")), "c must be a positive number, got nan"),
    ],
)
def test_dims_refuse_what_has_no_meaning(dim, arguments, message):
    with pytest.raises(ValueError, match=message):
        dim(*arguments)


def test_cells_are_known_without_importing_numpy():
    program = "import sys, sae_surgery.problems.paper; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
