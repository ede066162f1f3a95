"""Softplus-Adam: its gradient, its schedule, its end, and that seeds do not touch each other."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import softplus

from sae_surgery.learning import softplus_kernels
from sae_surgery.learning.dictionary_learning import random_dictionary
from sae_surgery.learning.softplus_adam import (
    AdaptiveRate,
    CompiledProblem,
    EarlyStop,
    SoftplusAdam,
    TensorProblem,
    infer_softplus,
    learn_softplus,
)

SEEDS = (0, 1, 2)
OBS_DIM, N_ATOMS = 6, 10


def observations(n_samples: int, seed: int = 0) -> torch.Tensor:
    truth = random_dictionary(OBS_DIM, N_ATOMS, range(100, 103))
    generator = torch.Generator().manual_seed(seed)
    codes = torch.rand(3, n_samples, N_ATOMS, generator=generator)
    codes *= torch.rand(3, n_samples, N_ATOMS, generator=generator) < 0.2
    return codes @ truth.mT


def literal_run(seed, val, ood, given):
    """Learn one seed by autograd and a plain Adam, as the protocol says it."""
    generator = torch.Generator().manual_seed(seed)
    start = [torch.randn(len(y), N_ATOMS, generator=generator) for y in (val, ood)]
    logits = [(u + given.start_mean).double().requires_grad_() for u in start]
    dictionary = torch.randn(OBS_DIM, N_ATOMS, generator=generator)
    dictionary = (dictionary / dictionary.norm(dim=0)).double().requires_grad_()
    optimiser = torch.optim.Adam([*logits, dictionary], lr=given.learning_rate)
    best, bad, losses = math.inf, 0, []
    for _ in range(given.max_steps):
        fixed = dictionary.detach()
        z_val, z_ood = softplus(logits[0]), softplus(logits[1])
        loss = (z_val @ dictionary.T - val).square().mean()
        loss = loss + (z_ood @ fixed.T - ood).square().mean()
        penalty = (z_val * dictionary.norm(dim=0)).mean() + (z_ood * fixed.norm(dim=0)).mean()
        loss = loss + given.lam * penalty
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        if losses[-1] < best:
            best, bad = losses[-1], 0
            optimiser.param_groups[0]["lr"] *= 1.1
        else:
            bad += 1
            if bad >= 2:
                optimiser.param_groups[0]["lr"] *= 0.5
                bad = 0
        rate = optimiser.param_groups[0]["lr"]
        optimiser.param_groups[0]["lr"] = max(min(rate, 1.0), 1e-6)
    return dictionary.detach(), *(softplus(u.detach()) for u in logits), losses


@pytest.mark.parametrize("n_ood", [40, 15])
def test_learning_is_autograd_and_adam_with_the_schedule(n_ood):
    given = SoftplusAdam(start_mean=-2.0, max_steps=101)
    val, ood = observations(40).double(), observations(n_ood, seed=1).double()
    result = learn_softplus(val, ood, N_ATOMS, SEEDS, given)
    for seed in SEEDS:
        dictionary, val_codes, ood_codes, losses = literal_run(seed, val[seed], ood[seed], given)
        close = {"atol": 1e-5, "rtol": 1e-5}
        torch.testing.assert_close(result.loss[seed], torch.tensor(losses[::100]), **close)
        torch.testing.assert_close(result.dictionary[seed], dictionary, **close)
        torch.testing.assert_close(result.learned_codes[seed], val_codes, **close)
        torch.testing.assert_close(result.other_codes[seed], ood_codes, **close)
    assert result.n_steps.tolist() == [101] * 3
    assert (result.loss[:, 1] < result.loss[:, 0] / 2).all()


@pytest.mark.parametrize("n_ood", [40, 700])
def test_compiled_steps_are_those_of_tensors(n_ood):
    val, ood = observations(n_ood)[0], observations(15, seed=1)[0]
    generator = torch.Generator().manual_seed(0)
    dictionary = random_dictionary(OBS_DIM, N_ATOMS, SEEDS)[0]
    logits = [2 * torch.randn(len(y), N_ATOMS, generator=generator) - 1 for y in (val, ood)]
    problems = CompiledProblem(dictionary, 0.1), TensorProblem(dictionary.double(), 0.1)
    for problem in problems:
        for y, start, teaches in zip((val, ood), logits, (True, False), strict=True):
            problem.add(y.to(problem.dictionary()), start, teaches)
    for _ in range(20):
        losses = [problem.step(rate=0.01) for problem in problems]
        assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    learned = [[problem.dictionary(), *problem.codes()] for problem in problems]
    for actual, expected in zip(*learned, strict=True):
        torch.testing.assert_close(actual.double(), expected, atol=2e-5, rtol=2e-5)


def test_compiled_softplus_is_exact_to_a_few_units_in_the_last_place():
    logits = np.concatenate([np.linspace(-87, 30, 5001), np.linspace(-1, 1, 1001)])
    logits = logits.astype(np.float32)[None]
    codes, slopes = np.empty_like(logits), np.empty_like(logits)
    softplus_kernels.softplus(logits, codes, slopes)
    exact = logits.astype(np.float64)
    np.testing.assert_allclose(codes, np.logaddexp(0, exact), rtol=6e-7)
    np.testing.assert_allclose(slopes, 1 / (1 + np.exp(-exact)), rtol=6e-7)


def test_the_dictionary_does_not_learn_from_the_other_samples():
    given = SoftplusAdam(start_mean=-2.0, max_steps=1)
    val = observations(30)
    results = [
        learn_softplus(val, scale * observations(30, seed=1), N_ATOMS, SEEDS, given)
        for scale in (1, 5)
    ]
    assert torch.equal(results[0].dictionary, results[1].dictionary)
    assert not torch.equal(results[0].loss, results[1].loss)


def test_a_seed_learns_the_same_whoever_shares_the_batch():
    given = SoftplusAdam(start_mean=-2.0, max_steps=400, patience=5, min_steps=20)
    val, ood = observations(37), observations(21, seed=1)
    together = learn_softplus(val, ood, N_ATOMS, SEEDS, given)
    assert len(set(together.n_steps.tolist())) > 1, "seeds must stop at different steps"
    for seed in SEEDS:
        own = slice(seed, seed + 1)
        alone = learn_softplus(val[own], ood[own], N_ATOMS, (seed,), given)
        n_records = alone.loss.shape[1]
        assert torch.equal(together.loss[own, :n_records], alone.loss)
        assert together.loss[own, n_records:].isnan().all()
        for name in ("dictionary", "learned_codes", "other_codes", "n_steps", "rate"):
            assert torch.equal(getattr(together, name)[own], getattr(alone, name)), name


def test_inference_approaches_the_optimum_for_a_fixed_dictionary():
    y = observations(20).double()
    dictionary = random_dictionary(OBS_DIM, N_ATOMS, SEEDS).double()
    given = SoftplusAdam(start_mean=-3.0, learning_rate=0.05, growth=1.0, cut=1.0, max_steps=1500)
    codes = infer_softplus(y, dictionary, given)
    assert torch.equal(codes[1:2], infer_softplus(y[1:2], dictionary[1:2], given))
    gradient = 2 / (20 * OBS_DIM) * (codes @ dictionary.mT - y) @ dictionary
    gradient = gradient + given.lam / (20 * N_ATOMS) * dictionary.norm(dim=1, keepdim=True)
    assert (codes >= 0).all()
    assert (gradient * codes).abs().max() < 5e-6
    assert gradient.min() > -1e-5


def test_dead_atoms_leave_no_nan():
    dictionary = random_dictionary(OBS_DIM, N_ATOMS, SEEDS)
    dictionary[:, :, 4] = 0
    codes = infer_softplus(observations(9), dictionary, SoftplusAdam(max_steps=50))
    assert codes.isfinite().all()


def literal_schedule(losses):
    rate, best, bad = 1e-3, math.inf, 0
    for loss in losses:
        if loss < best:
            best, rate, bad = loss, rate * 1.1, 0
        else:
            bad += 1
            if bad >= 2:
                rate, bad = rate * 0.5, 0
        rate = min(max(rate, 1e-6), 1.0)
        yield rate


losses = st.lists(st.floats(0, 10) | st.just(math.nan), min_size=1, max_size=200)


@given(losses)
def test_rate_follows_the_published_schedule(losses):
    schedule = AdaptiveRate(SoftplusAdam())
    assert [schedule.update(loss) for loss in losses] == list(literal_schedule(losses))


@pytest.mark.parametrize(("loss", "limit"), [(lambda i: -i, 1.0), (lambda i: i, 1e-6)])
def test_rate_keeps_its_limits(loss, limit):
    schedule = AdaptiveRate(SoftplusAdam())
    assert [schedule.update(loss(i)) for i in range(100)][-1] == limit


def stops_at(losses, **given):
    stop = EarlyStop(SoftplusAdam(**given))
    return [stop.reached(loss, step) for step, loss in enumerate(losses)].index(True)


def test_early_stop_waits_for_patience_and_for_the_first_steps():
    constant = [1.0] * 30
    assert stops_at(constant, patience=3, min_steps=10) == 11
    assert stops_at(constant, patience=20, min_steps=10) == 20


def test_early_stop_counts_from_the_last_clear_improvement():
    falling = [0.5 ** min(step, 12) for step in range(30)]
    assert stops_at(falling, patience=3, min_steps=1, improvement=1e-6) == 15
    assert stops_at(falling, patience=3, min_steps=1, improvement=2**-7) == 11


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lam": -1.0}, "lam must be"),
        ({"start_mean": math.inf}, "start_mean must be a finite number, got inf"),
        ({"start_std": -1.0}, "start_std must be"),
        ({"learning_rate": 0.0}, "learning_rate must be a positive number, got 0.0"),
        ({"growth": 0.0}, "growth must be"),
        ({"cut": -0.5}, "cut must be"),
        ({"steps_before_cut": 0}, "steps_before_cut must be a positive integer, got 0"),
        ({"lowest_rate": 2.0}, "lowest_rate must be at most highest_rate 1.0, got 2.0"),
        ({"max_steps": 0}, "max_steps must be a positive integer, got 0"),
        ({"improvement": -1e-6}, "improvement must be"),
        ({"patience": 0}, "patience must be"),
        ({"min_steps": -1}, "min_steps must be"),
        ({"learns_from": "ood"}, "learns_from must be train or val, got 'ood'"),
    ],
)
def test_settings_out_of_range_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        SoftplusAdam(**values)


def test_shapes_that_do_not_go_together_are_named():
    val, ood, given = observations(5), observations(4), SoftplusAdam(max_steps=1)
    with pytest.raises(ValueError, match="must have shape"):
        learn_softplus(val, ood[:2], N_ATOMS, SEEDS, given)
    with pytest.raises(ValueError, match="must have shape"):
        learn_softplus(val, ood, N_ATOMS, (0,), given)
    with pytest.raises(ValueError, match="n_atoms must be a positive integer, got 0"):
        learn_softplus(val, ood, 0, SEEDS, given)
    with pytest.raises(ValueError, match="must share seed and obs"):
        infer_softplus(val, random_dictionary(OBS_DIM, N_ATOMS, (0,)), given)


def test_without_other_samples_the_dictionary_learns_alone():
    settings = SoftplusAdam(max_steps=200, learning_rate=0.05, growth=1.0, cut=1.0)
    taught = observations(20)
    learned = learn_softplus(taught, taught[:, :0], N_ATOMS, SEEDS, settings)
    assert learned.other_codes.shape == (3, 0, N_ATOMS)
    residual = taught - learned.learned_codes @ learned.dictionary.mT
    assert residual.square().mean() < 0.5 * taught.square().mean()


def test_the_lasso_s_penalty_weighs_codes_as_the_lasso_does():
    """A mean over elements of each, times m / 2, is a sample's share in the lasso."""
    lam, z = 0.3, torch.rand(7, N_ATOMS)
    residual = torch.randn(7, OBS_DIM)
    weight = SoftplusAdam(lam=lam, lasso_penalty=True).penalty(OBS_DIM, N_ATOMS)
    loss = residual.square().mean() + weight * z.mean()
    lasso = residual.square().sum(1) / 2 + lam * z.sum(1)
    torch.testing.assert_close(loss * OBS_DIM / 2, lasso.mean())
    assert SoftplusAdam(lam=lam).penalty(OBS_DIM, N_ATOMS) == lam
