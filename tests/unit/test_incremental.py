"""Incremental dictionary learning finds planted dictionaries, and says when it cannot."""

import dataclasses

import numpy as np
import pytest
import torch
from numpy.random import RandomState

from benchmarks.harness import limited_threads
from sae_surgery import methods
from sae_surgery.inference import exact_batched, exact_blocks
from sae_surgery.inference.sparse import SparseCodes
from sae_surgery.learning import code_sums
from sae_surgery.learning.dictionary_learning import random_dictionary
from sae_surgery.learning.fresh_atoms import LARGEST_COSINE, _as_it_is, _triples, fresh_atoms
from sae_surgery.learning.incremental import (
    IncrementalLearning,
    learn_incrementally,
    report_misses,
)
from sae_surgery.learning.incremental_kernels import step_atoms, subtract_codes
from sae_surgery.learning.redundancy import redundancy, redundancy_limit, useless_atoms
from sae_surgery.methods.base import Lesson
from sae_surgery.metrics.measures.dictionary import dictionary_metrics
from sae_surgery.problems.laws import sampling
from sae_surgery.problems.paper import Cell

PLANTED = Cell(n_latents=100, k=4, obs_dim=40, n_samples=2000)
BRIEF = IncrementalLearning(max_rounds=8, anneal_rounds=4, replace_every=2)


def planted(seed, cell=PLANTED):
    """Return the train split (1, sample, obs) and the dictionary of a cell."""
    stream = RandomState(seed)
    truth = sampling.draw_dictionary(cell, stream)
    observations = sampling.observe(
        truth, *sampling.draw_codes(cell, cell.n_samples, cell.n_ood, stream)
    )
    return torch.from_numpy(observations[None, : cell.n_train]).float(), truth


def learn(observations, n_atoms, settings, seeds=(0,), budgets=None):
    """Return what has been learned in the end."""
    initial = random_dictionary(observations.shape[2], n_atoms, seeds)
    budgets = budgets or (settings.max_rounds,)
    *_, (_, result) = learn_incrementally(observations, initial, seeds, settings, budgets)
    return result


def noise(n_samples, obs_dim=12, seed=0):
    return torch.randn(1, n_samples, obs_dim, generator=torch.Generator().manual_seed(seed))


def test_the_dictionary_to_start_from_stays_as_it_is():
    observations, _ = planted(0)
    # Atom by atom in memory, as learning has it.
    initial = random_dictionary(PLANTED.obs_dim, 50, (0,)).mT.contiguous().mT
    before = initial.clone()
    next(learn_incrementally(observations, initial, (0,), BRIEF, (1,)))
    assert torch.equal(initial, before)


@pytest.mark.parametrize("seed", range(10))
def test_it_recovers_a_planted_dictionary(seed):
    observations, truth = planted(seed)
    result = learn(observations, PLANTED.n_latents, IncrementalLearning(), (seed,))
    metrics = dictionary_metrics(result.dictionary[0].double().numpy(), truth)
    assert metrics.mean_signed_cosine > 0.99 and metrics.share_above_090 == 1.0
    assert result.converged.all() and result.determined.all()
    assert (result.usage > 0).all()


def test_the_order_of_samples_matters_little():
    observations, _ = planted(0)
    shuffled = observations[:, np.random.default_rng(1).permutation(observations.shape[1])]
    one, other = (
        learn(given, PLANTED.n_latents, IncrementalLearning()).dictionary[0].double().numpy()
        for given in (observations, shuffled)
    )
    assert dictionary_metrics(one, other).mean_signed_cosine > 0.97


def test_the_number_of_threads_matters_less():
    observations, _ = planted(1)
    learned = []
    for n_threads in (1, 2):
        with limited_threads(n_threads):
            learned.append(learn(observations, PLANTED.n_latents, BRIEF).dictionary)
    torch.testing.assert_close(*learned, rtol=0, atol=1e-3)


def test_dense_products_as_on_a_gpu_learn_the_same(monkeypatch):
    observations, _ = planted(1)
    # Two solvers stop at different codes within the tolerance, and learning carries that far.
    settings = dataclasses.replace(BRIEF, code_tolerance=1e-9)
    compiled = learn(observations, PLANTED.n_latents, settings)
    monkeypatch.setattr(code_sums, "_on_gpu", lambda samples: True)
    monkeypatch.setattr(exact_blocks, "solve", exact_batched.solve)
    dense = learn(observations, PLANTED.n_latents, settings)
    torch.testing.assert_close(dense.dictionary, compiled.dictionary, rtol=0, atol=1e-3)
    torch.testing.assert_close(dense.usage, compiled.usage, rtol=0, atol=1e-2)


def test_the_unit_of_the_observations_does_not_matter():
    observations, _ = planted(2)
    one, other = (learn(observations * unit, PLANTED.n_latents, BRIEF) for unit in (1.0, 2.0**20))
    torch.testing.assert_close(one.dictionary, other.dictionary, rtol=0, atol=1e-4)
    torch.testing.assert_close(one.penalty * 2.0**20, other.penalty)


DEGENERATE = {
    "zeros": torch.zeros(1, 40, 12),
    "one sample": noise(1),
    "one sample, again and again": noise(1).expand(1, 40, 12),
    "some zeros": torch.cat([noise(30), torch.zeros(1, 30, 12)], 1),
    "each sample twice": noise(30).repeat(1, 2, 1),
    "constants": torch.cat([noise(30), torch.ones(1, 30, 12)], 1),
    "constant dimensions": torch.cat([noise(40, 6), torch.ones(1, 40, 6)], 2),
    "one dimension": noise(40, 1),
    "tiny": 1e-12 * noise(40),
    "one large sample": torch.cat([noise(40), 1e6 * noise(1, seed=1)], 1),
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_samples_leave_a_dictionary_of_unit_atoms(case):
    result = learn(DEGENERATE[case].contiguous(), 20, BRIEF)
    lengths = torch.linalg.vector_norm(result.dictionary, dim=1)
    torch.testing.assert_close(lengths, torch.ones_like(lengths))
    for value in (result.penalty, result.usage, result.change[:, : int(result.n_rounds)]):
        assert value.isfinite().all()


def test_zero_and_repeated_samples_do_not_hinder_recovery():
    observations, truth = planted(3)
    zeros = torch.zeros_like(observations[:, :200])
    given = torch.cat([observations, zeros, observations[:, :200]], 1)
    learned = learn(given, PLANTED.n_latents, IncrementalLearning()).dictionary[0]
    assert dictionary_metrics(learned.double().numpy(), truth).mean_signed_cosine > 0.97


def test_a_run_that_is_too_short_is_called_not_converged(capsys):
    observations, _ = planted(0)
    result = learn(observations, PLANTED.n_latents, BRIEF)
    assert not result.converged.any() and result.n_rounds.tolist() == [BRIEF.max_rounds]
    report_misses(result, (0,))
    assert "seed 0: not converged" in capsys.readouterr().err


def test_the_model_file_says_so_too():
    observations, _ = planted(0)
    method = methods.load("dl_scaled", {"max_rounds": 3})
    given = {"train": observations}
    model = method.fit(Lesson(PLANTED, (0,), torch.device("cpu"), given)).model
    assert model.tensor("converged").tolist() == [0]
    assert model.tensor("n_rounds").tolist() == [3]


def test_atoms_without_a_use_are_counted(capsys):
    result = learn(DEGENERATE["one sample, again and again"].contiguous(), 20, BRIEF)
    assert 15 < int(result.n_useless) < 20
    report_misses(result, (0,))
    assert (
        f"seed 0: {int(result.n_useless)} atoms are hardly any sample's" in capsys.readouterr().err
    )


def test_too_few_samples_are_called_not_determined(capsys):
    result = learn(noise(30), 40, BRIEF)
    assert not result.determined.any()
    report_misses(result, (0,))
    assert "seed 0: not determined" in capsys.readouterr().err


def test_nothing_is_said_of_what_is_well(capsys):
    observations, _ = planted(0)
    result = learn(observations, 30, dataclasses.replace(BRIEF, tolerance=10.0))
    report_misses(result, (0,))
    assert capsys.readouterr().err == ""


def test_budgets_tell_what_shorter_runs_end_with():
    observations, _ = planted(0)
    initial = random_dictionary(PLANTED.obs_dim, 50, (0,))
    run = learn_incrementally(observations, initial, (0,), BRIEF, (3, 8))
    for budget, result in run:
        separate = learn(observations, 50, BRIEF, budgets=(budget,))
        assert torch.equal(result.dictionary, separate.dictionary)
        assert torch.equal(result.penalty, separate.penalty)


def test_a_seed_learns_the_same_whoever_shares_the_batch():
    observations = torch.cat([planted(seed)[0] for seed in (0, 1)])
    together = learn(observations, 50, BRIEF, (0, 1))
    alone = learn(observations[1:], 50, BRIEF, (1,))
    assert torch.equal(together.dictionary[1], alone.dictionary[0])


def test_the_penalty_falls_and_then_stays():
    settings = IncrementalLearning()
    penalties = [settings.penalty(count) for count in range(settings.anneal_rounds + 2)]
    assert penalties[0] == settings.first_penalty
    assert (np.diff(penalties[:-1]) < 0).all()
    assert penalties[-2:] == pytest.approx([settings.last_penalty] * 2)


def test_learning_settles_when_there_is_nothing_left_to_replace_or_no_round_for_it():
    settings = IncrementalLearning(anneal_rounds=4, replace_every=2, replace_rounds=6)
    assert [count for count in range(12) if settings.looks(count)] == [2, 4, 6]
    assert not settings.settles(3, n_replaced=0)
    assert settings.settles(4, n_replaced=0)
    assert not settings.settles(5, n_replaced=1)
    assert settings.settles(6, n_replaced=1)


def test_the_search_ends_when_it_lowers_the_objective_no_longer():
    settings = IncrementalLearning(anneal_rounds=4, replace_every=2, search_gain=0.01)
    assert not settings.exhausted([])
    assert not settings.exhausted([3.0, 3.0, 1.0, 1.0, 1.0])
    assert settings.exhausted([3.0, 3.0, 1.0, 1.0, 1.0, 1.0])
    assert not settings.exhausted([3.0, 3.0, 1.0, 1.0, 1.0, 0.98])


def test_no_sample_is_learned_by_heart_where_few_use_an_atom():
    cell = Cell(n_latents=200, k=4, obs_dim=40, n_samples=1200)
    observations, dictionary = planted(0, cell)
    once = dataclasses.replace(IncrementalLearning(), replace_rounds=0)
    without, searched = (
        dictionary_metrics(learn(observations, 200, each).dictionary[0].numpy(), dictionary)
        for each in (once, IncrementalLearning())
    )
    assert searched.share_above_090 > without.share_above_090 + 0.1


@pytest.mark.parametrize(
    "wrong",
    [{"relaxation": 2.0}, {"first_penalty": 0.0}, {"n_batches": 0}, {"anneal_rounds": -1}],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        IncrementalLearning(**wrong)


def sparse_lesson():
    """Return codes as entries and dense (sample, atom), observations and rows of a dictionary."""
    draws = np.random.default_rng(0)
    dense = draws.uniform(size=(50, 12)) * (draws.uniform(size=(50, 12)) < 0.3)
    rows = draws.normal(size=(12, 7)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    observations = draws.normal(size=(50, 7)).astype(np.float32)
    entries = np.count_nonzero(dense, axis=1), np.nonzero(dense)[1], dense[np.nonzero(dense)]
    return entries, dense.astype(np.float32), observations, rows


@pytest.mark.parametrize("n_threads", [1, 2])
def test_sums_are_those_of_dense_codes(n_threads):
    n_atoms = 2 * code_sums.ROWS + 3
    draws = np.random.default_rng(0)
    dense = draws.normal(size=(1, 40, n_atoms)) * (draws.random((1, 40, n_atoms)) < 0.05)
    dense = torch.from_numpy(dense).float()
    observations = noise(40)
    codes = SparseCodes.pack(dense)
    sums = code_sums.CodeSums(torch.zeros(n_atoms, 12))
    with limited_threads(n_threads):
        sums.add(1.0, codes, observations[0])
    torch.testing.assert_close(sums.gram, dense[0].T @ dense[0])
    torch.testing.assert_close(sums.target, dense[0].T @ observations[0])
    with limited_threads(n_threads):
        sums.add(-1.0, codes, observations[0])
    assert sums.gram.abs().max() < 1e-5 and sums.target.abs().max() < 1e-5


def test_remainders_are_those_of_dense_codes():
    entries, dense, observations, rows = sparse_lesson()
    residual = observations.copy()
    subtract_codes(*entries, rows, residual)
    np.testing.assert_allclose(residual, observations - dense @ rows, atol=1e-5)


def test_each_atom_s_step_is_the_best_for_it():
    _, dense, observations, rows = sparse_lesson()
    gram, expected = dense.T @ dense, rows.astype(np.float64)
    for atom in range(12):
        others = np.delete(np.arange(12), atom)
        residual = observations - dense[:, others] @ expected[others]
        best = dense[:, atom] @ residual
        expected[atom] = best / np.linalg.norm(best)
    gradient = dense.T @ observations - gram @ rows
    step_atoms(gradient, gram, np.float32(1), np.float32(0), rows)
    np.testing.assert_allclose(rows, expected, atol=1e-4)


def test_an_atom_without_energy_stays():
    _, dense, observations, rows = sparse_lesson()
    dense[:, 4] = 0
    before = rows[4].copy()
    gram = dense.T @ dense
    gradient = dense.T @ observations - gram @ rows
    step_atoms(gradient, gram, np.float32(1.5), np.float32(0), rows)
    np.testing.assert_array_equal(rows[4], before)
    assert np.isfinite(rows).all()


SHARED = 12.0
"""Samples that share an atom's energy, as of one that is of use."""


def random_rows(obs_dim=33, n_atoms=50, seed=0):
    return random_dictionary(obs_dim, n_atoms, (seed,))[0].T.contiguous().numpy()


@pytest.mark.parametrize(("n_atoms", "obs_dim"), [(50, 33), (200, 60), (30, 4), (20, 1), (2, 2)])
def test_other_random_atoms_are_not_redundant(n_atoms, obs_dim):
    limit = redundancy_limit(random_rows(obs_dim, n_atoms))
    other = random_rows(obs_dim, n_atoms, seed=1)
    assert not useless_atoms(other, np.ones(n_atoms), SHARED * np.ones(n_atoms), limit).any()


def test_of_doubles_opposites_and_sums_the_weaker_are_useless():
    rows, energy = random_rows(), np.arange(50.0) + 100
    rows[7], rows[9] = rows[3], -rows[33]
    rows[11] = rows[40] + rows[41] + rows[42]
    rows[11] /= np.linalg.norm(rows[11])
    sharing = np.full(50, SHARED)
    sharing[20], sharing[21] = 0, 1.1
    found = useless_atoms(rows, energy, sharing, redundancy_limit(random_rows(seed=1)))
    assert np.flatnonzero(found).tolist() == [3, 9, 11, 20, 21]


def test_fresh_atoms_are_what_samples_share():
    draws = np.random.default_rng(0)
    missing = torch.eye(2, 30)
    z = torch.from_numpy(draws.uniform(0.5, 1, (200, 2)) * (draws.uniform(size=(200, 2)) < 0.1))
    # Samples that lack both would be taken for such as lack their sum.
    z[:100, 1] = z[100:, 0] = 0
    remainders = z.float() @ missing + 0.02 * noise(200, 30)[0]
    # A remainder of one sample alone is no atom, though it is the largest.
    remainders[5] = 2 * torch.nn.functional.normalize(noise(1, 30, seed=1)[0, 0], dim=0)
    found = fresh_atoms(remainders, 2)
    assert ((found @ missing.T).amax(0) > 0.9).all()
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize("size", [_as_it_is, torch.abs])
@pytest.mark.parametrize("n_samples", [3, 12, 60])
def test_few_samples_are_compared_with_others_only(n_samples, size):
    triples, signs, likeness = _triples(noise(n_samples, 10)[0], size)
    assert len(triples) == n_samples * (n_samples - 1) // 2
    assert all(len(set(triple)) == 3 for triple in triples.tolist())
    assert likeness.isfinite().all()
    assert (signs == 1).all() or size is torch.abs


def test_fresh_atoms_differ():
    found = fresh_atoms(noise(100, 10)[0], 40)
    assert 0 < len(found) <= 40
    assert (found @ found.T).fill_diagonal_(0).max() < LARGEST_COSINE


def test_where_nothing_is_left_there_are_no_fresh_atoms():
    assert fresh_atoms(torch.zeros(9, 4), 3).shape == (0, 4)
    assert fresh_atoms(1e-30 * torch.ones(4, 4), 3).isfinite().all()
    for n_samples in range(3):
        assert fresh_atoms(torch.ones(n_samples, 4), 3).shape == (0, 4)


def test_redundancy_is_what_the_best_few_others_explain():
    rows, kept = np.eye(6, dtype=np.float32), np.ones(6, bool)
    rows[5] = np.sqrt([0.4, 0.3, 0.2, 0.1, 0.0, 0.0])
    assert redundancy(rows, np.array([5, 4]), kept) == pytest.approx([0.9, 0.0], abs=1e-6)
    kept[0] = False
    assert redundancy(rows, np.array([5]), kept) == pytest.approx([0.6], abs=1e-6)
    assert redundancy(rows, np.array([5]), np.zeros(6, bool)) == pytest.approx([0.0], abs=1e-6)
