"""Codes belong to the model that made them, and to no other of the same method."""

import pytest

from sae_surgery.errors import SurgeryError
from sae_surgery.steps.encode import encode
from sae_surgery.steps.evaluate import evaluate
from sae_surgery.steps.fit import fit
from sae_surgery.steps.operate import operate


@pytest.fixture(scope="module")
def fitted(bench, tmp_path_factory):
    """Return model and codes of an SAE, and those of one that was trained otherwise."""
    folder = tmp_path_factory.mktemp("tied")
    pairs = [(folder / f"model_{epochs}.nc", folder / f"codes_{epochs}.nc") for epochs in (1, 2)]
    for epochs, files in enumerate(pairs, 1):
        fit("sae_relu", bench.data(), None, {"epochs": epochs}, "cpu", 1, *files)
    return pairs


def test_codes_of_another_model_are_refused_by_name(bench, fitted, tmp_path):
    (model, _), (_, codes) = fitted
    said = rf"{codes.name}: codes of another model of sae_relu than .*{model.name}"
    with pytest.raises(SurgeryError, match=said):
        evaluate(bench.data(), [codes], [model], "paper", tmp_path / "metrics.nc")
    with pytest.raises(SurgeryError, match=said):
        operate("frozen_decoder", bench.data(), model, codes, {}, "cpu", 1, tmp_path / "o.nc")


def test_codes_that_a_model_makes_later_are_its_own(bench, fitted, tmp_path):
    model = fitted[0][0]
    encode(bench.data(), model, "cpu", 1, tmp_path / "codes.nc")
    evaluate(bench.data(), [tmp_path / "codes.nc"], [model], "paper", tmp_path / "metrics.nc")
