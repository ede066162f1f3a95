"""What looks misread is told, with its likely cause, and can be overruled by name."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sae_surgery.errors import SurgeryError
from sae_surgery.loaders._coding import Coding, Inputs
from sae_surgery.loaders.base import TrainedSae
from sae_surgery.loaders.check import check

OBS, K, SAMPLES = 16, 3, 3000


def perfect_sae(**changes):
    """Return an SAE with orthonormal atoms, which encodes `activations` without an error."""
    basis = torch.linalg.qr(torch.randn(OBS, OBS, generator=torch.Generator().manual_seed(1)))[0]
    bias = torch.linspace(-1, 1, OBS)
    coding = Coding(basis.T.contiguous(), torch.zeros(OBS), bias, k=K)
    sae = TrainedSae(
        format="plain",
        architecture="topk",
        source="sae.npz",
        dictionary=basis,
        decoder_bias=bias,
        coding=coding,
        promised={"k": float(K)},
    )
    return replace(sae, **changes)


def activations(scale=1.0):
    stream = torch.Generator().manual_seed(2)
    chosen = torch.rand(SAMPLES, OBS, generator=stream).topk(K, dim=1).indices
    values = 1.5 + torch.rand(SAMPLES, K, generator=stream)
    codes = torch.zeros(SAMPLES, OBS).scatter(1, chosen, values)
    sae = perfect_sae()
    return scale * (codes @ sae.dictionary.T + sae.decoder_bias)


def faults(sae, observations):
    return {fault.name: fault.text for fault in check(sae, observations).faults}


def test_an_sae_that_is_read_rightly_has_no_faults():
    reading = check(perfect_sae(), activations())
    assert reading.faults == () and reading.n_samples == SAMPLES
    assert reading.l0 == K
    assert reading.explained_variance == pytest.approx(1, abs=1e-6)
    assert reading.dead == 0
    assert reading.norms == pytest.approx((1, 1, 1), abs=1e-5)
    assert reading.promised == {"k": K}
    reading.require("sae.npz")


def test_explained_variance_is_that_about_the_mean():
    sae = perfect_sae(coding=replace(perfect_sae().coding, k=1), promised={})
    observations = activations()
    outputs = sae.reconstruct(observations, sae.encode(observations))
    error = (observations - outputs).square().sum()
    power = (observations - observations.mean(dim=0)).square().sum()
    found = check(sae, observations).explained_variance
    assert found == pytest.approx(1 - float(error / power), abs=1e-5)


def test_more_active_atoms_than_promised_look_like_a_relu():
    relu = perfect_sae(coding=replace(perfect_sae().coding, k=None, encoder_bias=torch.ones(OBS)))
    assert faults(relu, activations())["l0"] == (
        "L0 is 16 where the file says k = 3: read as ReLU?"
    )


def test_fewer_active_atoms_than_promised_look_like_a_lack_of_scale():
    shy = perfect_sae(coding=replace(perfect_sae().coding, encoder_bias=torch.full((OBS,), -3.0)))
    assert "fewer are positive" in faults(shy, activations())["l0"]


@pytest.mark.parametrize("promise", ["l0", "mean_k"])
@pytest.mark.parametrize(("said", "text"), [(1.4, "thresholds dropped"), (6.5, None), (2.0, None)])
def test_a_recorded_mean_is_held_to_a_factor_of_two(promise, said, text):
    found = faults(perfect_sae(promised={promise: said}), activations())
    assert (text is None and not found) or text in found["l0"]


def test_a_mean_far_below_what_was_recorded_counts_where_little_is_explained():
    shy = replace(perfect_sae().coding, encoder_bias=torch.full((OBS,), -3.0))
    found = faults(perfect_sae(coding=shy, promised={"l0": 6.5}), activations())
    assert "scaled as in training" in found["l0"]


def test_dense_codes_without_a_promise_are_told():
    relu = replace(perfect_sae().coding, k=None, encoder_bias=torch.ones(OBS))
    found = faults(perfect_sae(coding=relu, promised={}), activations())
    assert "not sparse" in found["dense"]


def test_scaled_activations_are_named_as_the_cause():
    observations = activations()
    factor = OBS**0.5 / float(observations.norm(dim=1).mean())
    inner = perfect_sae()
    scaled = replace(
        inner,
        decoder_bias=inner.decoder_bias * factor,
        coding=replace(
            inner.coding,
            input_bias=inner.decoder_bias * factor,
            k=None,
            threshold=torch.full((OBS,), 0.5 * factor),
        ),
    )
    text = faults(scaled, 0.05 * observations)["explained_variance"]
    assert "1 with activations scaled to a mean norm of √d: misread?" in text


def test_a_bias_that_is_to_be_taken_off_is_named_as_the_cause():
    far = torch.full((OBS,), 4.0)
    inner = perfect_sae()
    observations = activations() - inner.decoder_bias + far
    kept = replace(inner, decoder_bias=far, coding=replace(inner.coding, input_bias=None))
    assert "if b_dec is taken off the input" in faults(kept, observations)["explained_variance"]
    taken = replace(inner, decoder_bias=far, coding=replace(inner.coding, input_bias=far))
    assert faults(taken, observations) == {}


def test_a_normalisation_that_should_not_be_is_named_as_the_cause():
    normalised = perfect_sae(inputs=Inputs(input_norm=0.01))
    text = faults(normalised, activations())["explained_variance"]
    assert "without its normalisation of inputs" in text


def test_activations_of_another_layer_are_told():
    text = faults(perfect_sae(), 0.05 * torch.randn(SAMPLES, OBS))["explained_variance"]
    assert "are these activations normalised, and of the layer" in text


def test_silent_and_mostly_dead_saes_are_told():
    silent = replace(perfect_sae().coding, encoder_bias=torch.full((OBS,), -99.0))
    assert "no atom is active" in faults(perfect_sae(coding=silent), activations())["dead"]
    bias = torch.full((OBS,), -99.0)
    bias[0] = 9.0
    one = replace(perfect_sae().coding, encoder_bias=bias)
    found = faults(perfect_sae(coding=one, promised={}), activations())
    assert found["dead"].startswith("94 % of the atoms are active in no sample")


def test_norms_are_held_to_what_the_file_says():
    long = perfect_sae(dictionary=2 * perfect_sae().dictionary)
    promised = {"k": 3.0, "unit_norm": 1.0}
    assert "norms" in faults(replace(long, promised=promised), activations())
    assert "norms" not in faults(long, activations())
    assert faults(perfect_sae(promised=promised), activations()) == {}


def test_faults_are_overruled_by_name():
    relu = perfect_sae(coding=replace(perfect_sae().coding, k=None, encoder_bias=torch.ones(OBS)))
    reading = check(relu, activations())
    names = [fault.name for fault in reading.faults]
    assert "l0" in names
    with pytest.raises(SurgeryError, match=r"sae.npz: L0 is 16 .*overruled by the name l0"):
        reading.require("sae.npz")
    with pytest.raises(SurgeryError) as caught:
        reading.require("sae.npz", [name for name in names if name != "l0"])
    assert len(str(caught.value).splitlines()) == 1
    reading.require("sae.npz", names)


def test_one_activation_again_and_again_explains_nothing():
    reading = check(perfect_sae(), activations()[:1].repeat(5, 1))
    assert np.isnan(reading.explained_variance)
    assert "explained_variance" in {fault.name for fault in reading.faults}
