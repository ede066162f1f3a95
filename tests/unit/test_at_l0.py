"""A dictionary at a wanted L0: it is met, planted atoms are found, and cut runs say so."""

import dataclasses

import numpy as np
import pytest
import torch

from sae_surgery import methods, problems
from sae_surgery.inference.exact import exact_lasso
from sae_surgery.learning import aimed
from sae_surgery.learning.aimed import AimedLearner
from sae_surgery.learning.at_l0 import learn_at_l0
from sae_surgery.learning.dictionary_learning import random_dictionary
from sae_surgery.learning.incremental import IncrementalLearning, learn_incrementally
from sae_surgery.machine.checkpoints import Checkpoint
from sae_surgery.methods.base import Lesson
from sae_surgery.metrics.measures.dictionary import dictionary_metrics

K = 3
NOISY = problems.kind("composed").at(
    {"n_latents": 64, "k": K, "n_samples": 8000, "rates": "zipf", "snr_db": 20.0}
)
BRIEF = IncrementalLearning(l0=2.0, max_rounds=8, anneal_rounds=4, replace_every=2)


def observed(seed, problem=NOISY):
    """Return half of the samples (sample, obs) and the true dictionary."""
    drawn = problem.draw(seed)
    return torch.from_numpy(drawn.observations[: problem.n_samples // 2]).float(), drawn.dictionary


def noise(n_samples, obs_dim=12, seed=0):
    return torch.randn(n_samples, obs_dim, generator=torch.Generator().manual_seed(seed))


def cosines(learned, truth):
    return dictionary_metrics(learned.double().numpy(), truth / np.linalg.norm(truth, axis=0))


@pytest.fixture(scope="module")
def lesson():
    return observed(0)


@pytest.fixture(scope="module")
def learned(lesson):
    return learn_at_l0(lesson[0], 64, K, 0)


def test_the_wanted_number_of_codes_is_met(lesson, learned):
    assert learned.l0 == pytest.approx(K, rel=0.05)
    codes = exact_lasso(lesson[0][None], learned.dictionary[None], learned.lam)
    assert float(codes.counts.double().mean()) == pytest.approx(learned.l0, rel=0.01)


def test_it_converges_to_the_truth(lesson, learned):
    assert learned.converged and learned.rounds < 200
    found = cosines(learned.dictionary, lesson[1])
    assert found.mean_signed_cosine > 0.99 and found.share_above_090 > 0.98


def test_it_explains_as_much_as_the_truth(lesson, learned):
    observations, truth = lesson
    true = torch.from_numpy(truth / np.linalg.norm(truth, axis=0)).float()
    codes = exact_lasso(observations[None], true[None], learned.lam).dense(torch.float32)[0]
    left = (observations - codes @ true.T).square().sum()
    variance = (observations - observations.mean(0)).square().sum()
    assert learned.explained_variance > 1 - float(left / variance) - 0.01


def test_what_it_starts_from_does_not_matter(lesson, learned):
    observations = lesson[0]
    samples = observations[np.random.default_rng(0).choice(len(observations), 64, replace=False)]
    other = learn_at_l0(observations, 64, K, 0, start=samples.T)
    assert other.converged
    assert other.explained_variance == pytest.approx(learned.explained_variance, rel=0.01)


def test_a_run_that_is_cut_says_so(lesson, capsys):
    short = learn_at_l0(lesson[0][:400], 64, K, 0, max_rounds=6)
    assert not short.converged and short.rounds == 6
    assert "seed 0: not converged; the last of 6 rounds" in capsys.readouterr().err


def test_units_do_not_matter():
    observations = observed(1)[0][:500]
    one, other = (learn_at_l0(observations * u, 20, K, 0, max_rounds=5) for u in (1.0, 2.0**20))
    assert other.lam == pytest.approx(one.lam * 2.0**20, rel=1e-4)
    torch.testing.assert_close(one.dictionary, other.dictionary, rtol=0, atol=1e-4)


def test_heavy_tails_and_a_mean_are_borne():
    tails = torch.from_numpy(np.random.default_rng(0).standard_t(2, (800, 12))).float()
    result = learn_at_l0(tails + 3, 24, 4.0, 0)
    assert result.converged and result.l0 == pytest.approx(4.0, rel=0.05)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"l0": 0.0}, "l0 must be a positive number"),
        ({"l0": 24.0}, "l0 must be below the number of atoms, 24"),
        ({"start": torch.ones(3, 24)}, "start must have shape"),
        ({"start": torch.zeros(12, 24)}, "columns of start must be finite and not zero"),
        ({"max_rounds": 0}, "max_rounds must be a positive integer"),
    ],
)
def test_what_cannot_be_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        learn_at_l0(**({"observations": noise(50), "n_atoms": 24, "l0": 4.0, "seed": 0} | given))


def test_what_is_wanted_rises_above_and_comes_back():
    learner = AimedLearner(noise(40), random_dictionary(12, 24, (0,))[0], 0, BRIEF, True)
    wanted = [learner.wanted(count) for count in range(30)]
    assert wanted[0] == pytest.approx(1.0) and max(wanted) == wanted[4] == pytest.approx(4.0)
    assert wanted[4 + aimed.ROUNDS_BACK :] == pytest.approx([2.0] * (26 - aimed.ROUNDS_BACK))


def test_a_look_that_does_not_pay_is_taken_back():
    learner = AimedLearner(noise(40), random_dictionary(12, 24, (0,))[0], 0, BRIEF, True)
    learner.round(0)
    rows, codes, penalty = learner.rows.clone(), learner.codes, learner.penalties[-1]
    learner.before = learner._learned() | {"objective": 1.0}
    learner.rows.zero_()
    for objective, restored in ((0.5, False), (1.5, True)):
        learner.course.append(objective)
        learner._keep_the_better()
        assert bool((learner.rows == rows).all()) == restored
    assert learner.penalties[-1] == penalty
    assert all(
        torch.equal(one.values, other.values)
        for one, other in zip(learner.codes, codes, strict=True)
    )


def test_few_atoms_are_replaced_at_once():
    learner = AimedLearner(noise(400), random_dictionary(12, 60, (0,))[0], 0, BRIEF, True)
    learner.round(0)
    learner.limit = 0.0
    beyond = learner._suspects() & ~learner.useless()
    assert beyond.sum() == int(aimed.MOST_REPLACED * 60)


def test_a_run_that_was_cut_off_goes_on_to_the_same_bits(tmp_path):
    observations, start = noise(200)[None], random_dictionary(12, 24, (0,))
    settings = dataclasses.replace(BRIEF, max_rounds=40, replace_rounds=30)

    def run(budget, checkpoint):
        given = (observations, start, (0,), settings, (budget,))
        *_, (_, result) = learn_incrementally(*given, checkpoint=checkpoint)
        return result.dictionary

    whole = run(40, Checkpoint(None))
    kept = Checkpoint(tmp_path / "state.pt", seconds=0.0)
    run(25, kept)
    assert torch.equal(run(40, kept), whole)


def test_the_method_takes_it_as_a_setting():
    observations = observed(2)[0][:600]
    method = methods.load("dl_scaled", {"l0": float(K), "max_rounds": 4})
    given = {"train": observations[None]}
    model = method.fit(Lesson(NOISY, (0,), torch.device("cpu"), given)).model
    assert model.tensor("converged").tolist() == [0]
    assert float(model.tensor("penalty")) > 0
