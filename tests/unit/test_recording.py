"""What methods record while they learn is what a shorter run would have ended with."""

from pathlib import Path

import pytest
import torch

from sae_surgery import methods
from sae_surgery.files.data import CellData
from sae_surgery.files.models import read_model, write_model
from sae_surgery.files.store import Origin
from sae_surgery.learning.autoencoder import train_autoencoder
from sae_surgery.methods._recording import recorded_times
from sae_surgery.methods.base import Lesson
from sae_surgery.problems.paper import Cell
from sae_surgery.steps.simulate import simulate

CELL = Cell(n_latents=20, k=3, obs_dim=12, n_samples=150)
SEEDS = (0, 1, 2)
AUTOENCODERS = ("sae_relu", "sae_topk", "sae_jumprelu", "sae_mp")


def observe(n_samples: int = 75) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    shapes = (CELL.obs_dim, CELL.n_latents), (n_samples, CELL.n_latents)
    dictionary, codes = (torch.rand(len(SEEDS), *shape, generator=generator) for shape in shapes)
    return (codes * (codes < 0.2)) @ (dictionary - 0.5).mT


def fit(name: str, **settings):
    """Return a fitted method, its model and its codes."""
    method = methods.load(name, settings)
    (split,) = method.learns_from
    fitted = method.fit(Lesson(CELL, SEEDS, torch.device("cpu"), {split: observe()}))
    return method, fitted.model, fitted.codes


def assert_equal(model, expected, names):
    assert names
    for name in names:
        assert torch.equal(model.tensor(name), expected.tensor(name)), name


def plain(model):
    return [name for name in model if not name.startswith("recorded_")]


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_autoencoders_record_their_parameters_after_the_epochs_they_say(name):
    method, model, _ = fit(name, epochs=6, record_every=2)
    seen = {}
    train_autoencoder(
        method.autoencoder(CELL.k),
        observe(),
        CELL.n_latents,
        SEEDS,
        on_epoch=lambda epoch, parameters: seen.update({epoch: parameters.clone()}),
    )
    assert model.tensor("recorded_at").tolist() == [[0, 2, 4, 5]] * 3
    for index, epoch in enumerate((0, 2, 4, 5)):
        then = model.at_record(index)
        assert plain(then) == plain(model) == list(then)
        assert torch.equal(then.tensor("dictionary"), seen[epoch].decoder)
        assert torch.equal(then.tensor("decoder_bias"), seen[epoch].decoder_bias)
        codes = method.encode(then, observe(), CELL)
        assert torch.equal(codes, method.autoencoder(CELL.k).encode(seen[epoch], observe()))
    assert_equal(model.at_record(3), model, plain(model))


def test_dictionary_learning_records_what_smaller_budgets_end_with():
    method, model, _ = fit("dl_fista", max_rounds=8, record_every=3, n_iter=20)
    assert model.tensor("recorded_at").tolist() == [[0, 3, 6, 7]] * 3
    for index, count in enumerate((0, 3, 6, 7)):
        then = model.at_record(index)
        _, separate, _ = fit("dl_fista", max_rounds=count + 1, n_iter=20)
        assert_equal(then, separate, ("dictionary", "coding_dictionary"))
        codes = [method.encode(m, observe(), CELL) for m in (then, separate)]
        assert torch.equal(*codes)
    assert_equal(model.at_record(3), model, plain(model))


def test_a_seed_that_has_converged_is_recorded_as_it_ended():
    settings = {"max_rounds": 30, "min_rounds": 1, "tolerance": 0.05, "n_iter": 20}
    _, model, _ = fit("dl_fista", record_every=2, **settings)
    last = model.tensor("n_rounds") - 1
    assert last.min() < 28 and len(set(last.tolist())) > 1
    times = torch.tensor([*range(0, 29, 2), 29])
    assert torch.equal(model.tensor("recorded_at"), torch.minimum(times, last[:, None]))
    at_end = model.tensor("recorded_at") == last[:, None]
    for name in ("dictionary", "coding_dictionary"):
        recorded = model.tensor(f"recorded_{name}")
        for seed in range(len(SEEDS)):
            for values in recorded[seed, at_end[seed]]:
                assert torch.equal(values, model.tensor(name)[seed])
            assert not torch.equal(recorded[seed, 0], model.tensor(name)[seed])


@pytest.mark.parametrize("name", [*AUTOENCODERS, "dl_fista"])
def test_recording_changes_nothing_else(name):
    brief = {"max_rounds": 5, "n_iter": 10} if name == "dl_fista" else {"epochs": 5}
    _, often, codes_often = fit(name, record_every=1, **brief)
    _, seldom, codes_seldom = fit(name, record_every=100, **brief)
    assert often.tensor("recorded_at").shape == (3, 5)
    assert seldom.tensor("recorded_at").tolist() == [[0, 4]] * 3
    assert plain(often) == plain(seldom)
    for part in plain(often):
        assert torch.equal(*(m.tensor(part).nan_to_num() for m in (often, seldom)))
    assert codes_often.keys() == codes_seldom.keys()
    assert all(torch.equal(codes_often[split], codes_seldom[split]) for split in codes_often)


def test_records_survive_their_file(tmp_path: Path):
    simulate(CELL, SEEDS, tmp_path / "data.nc")
    data = CellData(tmp_path / "data.nc")
    _, model, _ = fit("sae_jumprelu", epochs=3)
    origin = Origin(title="test", inputs={"data": data.digest})
    write_model(tmp_path / "model.nc", model, data, "sae_jumprelu", origin)
    read = read_model(tmp_path / "model.nc", data, torch.device("cpu"))
    assert read["recorded_dictionary"].dims == ("record", "obs", "atom")
    assert_equal(read.at_record(0), model.at_record(0), plain(model))


def test_a_record_that_does_not_exist_is_an_error():
    _, model, _ = fit("sae_relu", epochs=2)
    for index in (-1, 2):
        with pytest.raises(IndexError, match=f"from 0 to below 2, got {index}"):
            model.at_record(index)
    with pytest.raises(IndexError, match="from 0 to below 0, got 0"):
        model.at_record(0).at_record(0)


@pytest.mark.parametrize(
    ("n_latents", "n_times", "expected"),
    [
        (100, 500, (*range(0, 500, 10), 499)),
        (10_000, 11, (0, 10)),
        (100, 1, (0,)),
        (10_001, 500, (499,)),
    ],
)
def test_every_tenth_time_and_the_last_are_recorded_but_of_large_models(
    n_latents, n_times, expected
):
    assert recorded_times(Cell(n_latents, 10, 50, 100), n_times, 10) == expected
