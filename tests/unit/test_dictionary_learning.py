"""Dictionary learning: what it returns, when seeds stop, and that they do not touch each other."""

from dataclasses import replace

import pytest
import torch

from sae_surgery.inference.fista import fista
from sae_surgery.learning.dictionary_learning import (
    DictionaryLearning,
    fit_dictionary,
    learn_dictionary,
    learning_trajectory,
    random_dictionary,
)

SEEDS = (0, 1, 2)


def problem(n_seeds: int = 3, n_samples: int = 83, obs_dim: int = 7, n_atoms: int = 10):
    truth = random_dictionary(obs_dim, n_atoms, range(100, 100 + n_seeds))
    generator = torch.Generator().manual_seed(0)
    codes = torch.rand(n_seeds, n_samples, n_atoms, generator=generator)
    codes *= torch.rand(n_seeds, n_samples, n_atoms, generator=generator) < 0.2
    return codes @ truth.mT, random_dictionary(obs_dim, n_atoms, range(n_seeds))


def literal_learning(observations, dictionary, settings):
    """Learn one seed's dictionary as the protocol says it."""
    codes = torch.zeros(len(observations), dictionary.shape[1])
    changes = []
    for count in range(settings.max_rounds):
        stacked = observations[None], dictionary[None]
        codes = fista(*stacked, settings.lam, settings.n_iter, start=codes[None])[0]
        inverse = torch.linalg.inv(codes.T @ codes + settings.ridge * torch.eye(codes.shape[1]))
        updated = observations.T @ codes @ inverse
        updated = updated / updated.norm(dim=0).clamp(min=1e-8)
        changes.append(float((updated - dictionary).norm() / dictionary.norm()))
        previous, dictionary = dictionary, updated
        if changes[-1] < settings.tolerance and count > settings.min_rounds:
            break
    return previous, dictionary, codes, changes


def test_learning_is_the_literal_algorithm():
    observations, initial = problem()
    settings = DictionaryLearning(max_rounds=6, n_iter=20)
    result = learn_dictionary(observations, initial, settings)
    for seed in SEEDS:
        previous, last, codes, changes = literal_learning(
            observations[seed], initial[seed], settings
        )
        close = {"atol": 1e-3, "rtol": 1e-3}
        torch.testing.assert_close(result.coding_dictionary[seed], previous, **close)
        torch.testing.assert_close(result.dictionary[seed], last, **close)
        torch.testing.assert_close(result.codes[seed], codes, **close)
        torch.testing.assert_close(result.change[seed], torch.tensor(changes), **close)


def test_exact_codes_are_what_many_iterations_lead_to():
    observations, initial = (x.double() for x in problem())
    many, exact = (
        learn_dictionary(observations, initial, DictionaryLearning(max_rounds=8, **how))
        for how in ({"n_iter": 20_000}, {"solver": "exact", "code_tolerance": 1e-12})
    )
    torch.testing.assert_close(exact.dictionary, many.dictionary, rtol=0, atol=1e-4)
    torch.testing.assert_close(exact.codes, many.codes, rtol=0, atol=1e-4)


def test_learning_explains_the_observations_ever_better():
    observations, initial = problem(n_samples=200)
    errors = []
    for rounds in (1, 10, 100):
        settings = DictionaryLearning(max_rounds=rounds, lam=0.01)
        result = learn_dictionary(observations, initial, settings)
        residual = observations - result.codes @ result.coding_dictionary.mT
        errors.append(float(residual.square().mean()))
    assert errors[0] > errors[1] > errors[2]


def stopping_at_different_rounds():
    """Return a problem and settings with which each seed stops in a round of its own."""
    return *problem(), DictionaryLearning(tolerance=8.5e-3, min_rounds=2, max_rounds=60, n_iter=25)


def test_each_seed_stops_by_itself_and_the_record_says_when():
    observations, initial, settings = stopping_at_different_rounds()
    result = learn_dictionary(observations, initial, settings)
    assert len(set(result.n_rounds.tolist())) == 3
    assert result.change.shape == (3, result.n_rounds.max())
    for n_rounds, change in zip(result.n_rounds, result.change, strict=True):
        assert settings.min_rounds + 1 < n_rounds < settings.max_rounds
        assert change[:n_rounds].isfinite().all() and change[n_rounds:].isnan().all()
        assert change[n_rounds - 1] < settings.tolerance
        assert (change[settings.min_rounds + 1 : n_rounds - 1] >= settings.tolerance).all()


def test_a_seed_learns_the_same_whoever_shares_the_batch():
    observations, initial, settings = stopping_at_different_rounds()
    together = learn_dictionary(observations, initial, settings)
    for seed in SEEDS:
        own = slice(seed, seed + 1)
        alone = learn_dictionary(observations[own], initial[own], settings)
        rounds = int(alone.n_rounds)
        assert together.n_rounds[seed] == rounds
        assert torch.equal(together.change[own, :rounds], alone.change)
        for name in ("dictionary", "coding_dictionary", "codes"):
            assert torch.equal(getattr(together, name)[own], getattr(alone, name)), name


def test_no_seed_stops_before_the_first_rounds_are_over():
    observations, initial = problem(n_seeds=1)
    settings = DictionaryLearning(tolerance=1e9, n_iter=2)
    result = learn_dictionary(observations, initial, settings)
    assert result.n_rounds.tolist() == [12]


def test_codes_are_those_of_the_dictionary_one_round_before():
    observations, initial = problem()
    result = learn_dictionary(observations, initial, DictionaryLearning(max_rounds=1))
    assert torch.equal(result.coding_dictionary, initial)
    assert torch.equal(result.codes, fista(observations, initial, 0.1, 100))


@pytest.mark.parametrize("budgets", [(0, 1, 2, 9, 30, 60, 70), (5,)])
def test_a_trajectory_has_the_bits_of_separate_runs(budgets):
    observations, initial, settings = stopping_at_different_rounds()
    trajectory = list(learning_trajectory(observations, initial, settings, budgets))
    assert tuple(budget for budget, _ in trajectory) == budgets
    for budget, state in trajectory:
        if budget > 0:
            separate = learn_dictionary(observations, initial, replace(settings, max_rounds=budget))
            for name, values in separate._asdict().items():
                assert torch.equal(values.nan_to_num(), getattr(state, name).nan_to_num()), name
    last_rounds = [state.n_rounds for _, state in trajectory[-3:]]
    if budgets[-1] == 70:
        assert last_rounds[0].min() < 30 < last_rounds[1].max() < 60
        assert torch.equal(last_rounds[1], last_rounds[2])


def test_before_the_first_round_nothing_is_learned_and_codes_are_of_the_initial_dictionary():
    observations, initial = problem()
    settings = DictionaryLearning()
    (_, start), (_, first) = learning_trajectory(observations, initial, settings, (0, 1))
    assert torch.equal(start.dictionary, initial)
    assert torch.equal(start.coding_dictionary, initial)
    assert torch.equal(start.codes, fista(observations, initial, settings.lam, settings.n_iter))
    assert start.n_rounds.tolist() == [0, 0, 0] and start.change.shape == (3, 0)
    assert torch.equal(first.codes, start.codes), "codes lag the dictionary by one round"
    assert not torch.equal(first.dictionary, initial)


def test_a_state_that_was_yielded_does_not_change_later():
    observations = torch.rand(2, 16, 16, generator=torch.Generator().manual_seed(0))
    initial = random_dictionary(16, 16, (0, 1))
    trajectory = learning_trajectory(observations, initial, DictionaryLearning(n_iter=3), (1, 2, 3))
    _, first = next(trajectory)
    kept = [values.clone() for values in first]
    assert len(list(trajectory)) == 2
    assert all(torch.equal(*pair) for pair in zip(first, kept, strict=True))


@pytest.mark.parametrize(
    ("budgets", "message"),
    [
        ((), "budgets must be increasing"),
        ((3, 2), r"budgets must be increasing numbers, at least one, got \(3, 2\)"),
        ((0,), "last_budget must be a positive integer, got 0"),
    ],
)
def test_budgets_that_cannot_be_are_named(budgets, message):
    with pytest.raises(ValueError, match=message):
        list(learning_trajectory(*problem(), DictionaryLearning(), budgets))


def test_dead_atoms_and_hopeless_penalties_leave_no_nan():
    observations, initial = problem()
    initial[0, :, 3] = 0
    settings = DictionaryLearning(max_rounds=15, n_iter=10)
    result = learn_dictionary(observations, initial, settings)
    assert not result.dictionary[0, :, 3].any()
    assert result.dictionary.isfinite().all() and result.dictionary[0].any()
    result = learn_dictionary(observations, initial, DictionaryLearning(lam=1e3, max_rounds=15))
    assert not result.codes.any() and not result.dictionary.any()
    assert result.n_rounds.tolist() == [12, 12, 12]
    assert result.change.isfinite().all()


def test_atoms_that_no_code_uses_are_revived_from_what_is_explained_worst():
    observations, initial = problem()
    initial[0, :, 3] = 0
    settings = DictionaryLearning(max_rounds=1, n_iter=10)
    dead = learn_dictionary(observations, initial, settings)
    revived = learn_dictionary(observations, initial, replace(settings, revive=True))
    used = dead.codes.amax(1) > 0
    assert not used[0, 3] and used.any()
    for seed in SEEDS:
        kept, atoms = used[seed], revived.dictionary[seed].T
        assert torch.equal(atoms[kept], dead.dictionary[seed].T[kept])
        residuals = observations[seed] - dead.codes[seed] @ dead.dictionary[seed].T
        lengths, worst = residuals.norm(dim=1).topk(int((~kept).sum()))
        torch.testing.assert_close(atoms[~kept], residuals[worst] / lengths[:, None])
    settings = replace(settings, max_rounds=15)
    revived = learn_dictionary(observations, initial, replace(settings, revive=True))
    torch.testing.assert_close(revived.dictionary.norm(dim=1), torch.ones(3, 10))


def test_atoms_used_alike_are_fitted_in_double_precision():
    codes = torch.eye(4).repeat(2, 8, 1)
    codes[1, :, 2] = codes[1, :, 3] = 32.0
    observations = torch.rand(2, 32, 3, generator=torch.Generator().manual_seed(0))
    with pytest.raises(torch.linalg.LinAlgError):
        torch.linalg.solve(codes[1].T @ codes[1] + 1e-6 * torch.eye(4), torch.ones(4))
    dictionary = fit_dictionary(observations, codes, 1e-6)
    torch.testing.assert_close(dictionary.norm(dim=1), torch.ones(2, 4))
    torch.testing.assert_close(dictionary[1, :, 2], dictionary[1, :, 3], atol=1e-4, rtol=0)


def test_random_dictionaries_have_unit_columns_and_depend_on_their_own_seed_only():
    dictionary = random_dictionary(9, 14, (0, 1, 2))
    torch.testing.assert_close(dictionary.norm(dim=1), torch.ones(3, 14))
    assert torch.equal(dictionary[1:2], random_dictionary(9, 14, (1,)))
    assert not torch.equal(dictionary[0], dictionary[1])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lam": -0.1}, "lam must be a number of at least 0, got -0.1"),
        ({"n_iter": 0}, "n_iter must be a positive integer, got 0"),
        ({"max_rounds": 2.5}, "max_rounds must be a positive integer, got 2.5"),
        ({"min_rounds": -1}, "min_rounds must be an integer of at least 0, got -1"),
        ({"tolerance": float("nan")}, "tolerance must be"),
        ({"ridge": 0.0}, "ridge must be a positive number, got 0.0"),
        ({"record_every": 0}, "record_every must be a positive integer, got 0"),
        ({"learns_from": "ood"}, "learns_from must be train or val, got 'ood'"),
    ],
)
def test_settings_out_of_range_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        DictionaryLearning(**values)


def test_shapes_that_do_not_go_together_are_named():
    observations, initial = problem()
    with pytest.raises(ValueError, match="must share seed and obs"):
        learn_dictionary(observations, initial[:2], DictionaryLearning())


def test_large_dictionaries_of_several_seeds_are_fitted_on_several_threads(two_threads):
    drawn = torch.Generator().manual_seed(0)
    codes = torch.rand(3, 600, 300, generator=drawn)
    truth = torch.nn.functional.normalize(torch.randn(3, 20, 300, generator=drawn), dim=1)
    fitted = fit_dictionary(codes @ truth.mT, codes, 1e-6)
    torch.testing.assert_close(fitted, truth, rtol=0, atol=1e-3)
